"""The plan of the paper's tables: a CSV file with a line per run of `main.py` that the tables are about.

| column | meaning |
|---|---|
| `task` | `cls` or `surv` |
| `dataset` | the cohort, as `main.py --dataset` has it |
| `model` | the name in the model registry, such as `mico` or `abmil` |
| `formulation` | `released` or `paper` for MiCo, `none` for the other models |
| `ablate` | empty, or the part that MiCo was trained without: `anchors`, `route` or `reducer` |
| `n_clusters` | the number of anchors; of no effect in models without anchors |
| `seed` | of the run |
| `run_dir` | the folder of the run, from the folder of the plan on, or absolute |

Further columns are ignored. A planned run need not be there yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.files.csv_table import read_csv
from utils.files.short_names import shortened
from utils.runs.tasks import TASKS

MICO = "mico"
ABLATIONS = ("anchors", "reducer", "route")
FORMULATIONS = ("released", "paper")
NO_FORMULATION = "none"
COLUMNS = ("task", "dataset", "model", "formulation", "ablate", "n_clusters", "seed", "run_dir")
_DIGITS = 18  # of an integer that int64 holds
_SHOWN = 60  # characters of a value in a message
_ADVICE = f"give the CSV file of a plan, with the columns {', '.join(COLUMNS)}"


@dataclass(frozen=True)
class PlannedRun:
    """One line of a plan; `line` is its number in the file, `path` the folder that `run_dir` stands for."""

    task: str
    dataset: str
    model: str
    formulation: str
    ablate: str
    n_clusters: int
    seed: int
    run_dir: str
    path: Path
    line: int


def read_plan(path: Path) -> list[PlannedRun]:
    """The planned runs, in the order of the file.

    Raises:
        UserError: the file cannot be read, lacks a column, names no run, holds an impossible value, or names the same
            run or the same folder twice.
    """
    runs = [_planned_run(path, line, cells) for line, cells in _read_rows(path)]
    if not runs:
        raise UserError(f"{path}: names no run, expected a line for each run of the tables; add them.")
    _check_unique(path, runs)
    return runs


def check_record(plan: Path, run: PlannedRun, record: Mapping[str, Any]) -> None:
    """Refuse a folder whose `run.json` (as `utils.runs.run_record.read_run` gives it) is of another run than the plan
    says.

    Raises:
        UserError: task, dataset, model, formulation, seed, or the settings `ablate` or `n_clusters` differ. In
            run.json `ablate` is null or a list, and a run of a time before that option has none.
    """
    settings = record["settings"]
    ablate = settings.get("ablate") or []
    found = {name: record[name] for name in ("task", "dataset", "model", "formulation", "seed")}
    found |= {"n_clusters": settings.get("n_clusters"), "ablate": ablate}
    expected = {name: getattr(run, name) for name in found} | {"ablate": [run.ablate] if run.ablate else []}
    for name, value in found.items():
        if value != expected[name]:
            raise UserError(
                f"{run.path / 'run.json'}: {name} is {_shown(value)}, expected {_shown(expected[name])} as in {plan}, "
                f"line {run.line}; correct the plan, or run main.py for it again."
            )


def _read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line number and {column: cell without blanks around it}; lines of blank cells only are left out."""
    table = read_csv(path, advice=_ADVICE, required=COLUMNS, may_be_empty=True)
    rows = [{name: cell.strip() for name, cell in zip(table.header, cells, strict=True)} for cells in table.rows]
    return [(line, row) for line, row in zip(table.lines, rows, strict=True) if any(row.values())]


def _planned_run(path: Path, line: int, cells: Mapping[str, str]) -> PlannedRun:
    is_mico = cells["model"] == MICO
    _check_choice(path, line, cells, "task", tuple(TASKS))
    for name in ("dataset", "model", "run_dir"):
        if not cells[name]:
            raise UserError(f"{path}, line {line}: {name} is empty, expected a name; correct the plan.")
        if not cells[name].isprintable():
            raise UserError(f"{path}, line {line}: {name} holds characters that no name has; correct the plan.")
    _check_choice(path, line, cells, "formulation", FORMULATIONS if is_mico else (NO_FORMULATION,))
    _check_choice(path, line, cells, "ablate", ("", *ABLATIONS) if is_mico else ("",))
    return PlannedRun(
        task=cells["task"],
        dataset=cells["dataset"],
        model=cells["model"],
        formulation=cells["formulation"],
        ablate=cells["ablate"],
        n_clusters=_integer(path, line, cells, "n_clusters", lowest=1),
        seed=_integer(path, line, cells, "seed", lowest=0),
        run_dir=cells["run_dir"],
        path=path.parent / cells["run_dir"],
        line=line,
    )


def _check_choice(path: Path, line: int, cells: Mapping[str, str], name: str, choices: Sequence[str]) -> None:
    if cells[name] not in choices:
        expected = " or ".join(choice or "nothing" for choice in choices)
        raise UserError(
            f"{path}, line {line}: {name} is {_shown(cells[name])}, expected {expected} for model "
            f"{cells['model'] or 'without a name'}; correct the plan."
        )


def _integer(path: Path, line: int, cells: Mapping[str, str], name: str, *, lowest: int) -> int:
    text = cells[name]
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) >= lowest):
        raise UserError(
            f"{path}, line {line}: {name} is {_shown(text)}, expected an integer, {lowest} or more; correct the plan."
        )
    return int(text)


def _check_unique(path: Path, runs: Sequence[PlannedRun]) -> None:
    first_of: dict[Any, PlannedRun] = {}
    for run in runs:
        n_clusters = run.n_clusters if run.model == MICO else None  # the other models have no anchors
        identity = (run.task, run.dataset, run.model, run.formulation, run.ablate, n_clusters, run.seed)
        for key, what in ((identity, "the same run"), (run.path.resolve(), f"the same folder, {run.run_dir},")):
            first = first_of.setdefault(key, run)
            if first is not run:
                raise UserError(
                    f"{path}, line {run.line}: names {what} as line {first.line}, expected each run once; remove one "
                    "of the two lines."
                )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(map(str, value)) or "nothing"
    return "nothing" if value in ("", None) else shortened(str(value), lambda text: len(text) <= _SHOWN)
