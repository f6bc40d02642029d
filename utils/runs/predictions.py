"""Prediction files: one row per case, written and read here and nowhere else.

Every table and figure starts from these files, so floats are written with all their digits (the shortest text that
reads back as the same float64): a metric computed from a file equals the one computed in memory.

| task | columns |
|---|---|
| cls | `case_id, slide_ids, label, prediction, prob_0 .. prob_{C-1}`; with names: `label_name, prediction_name` |
| surv | `case_id, slide_ids, time, event, bin, risk, hazard_0 .. hazard_{C-1}` |

`slide_ids` are joined by `;`. `time` is in months, `event` is 1 where the death was observed and 0 where the case was
censored, a higher `risk` means an earlier death. Identifiers are text: `001` stays `001`. A column beyond these is kept
as text.

The cases of another cohort may come without outcomes: their `label`, or `time`, `event` and `bin`, are empty, or the
`bin` alone where the edges of the bins are not known. Only who says so (`may_lack_outcomes`) can write or read such
files; `with_outcomes` gives the cases that can be evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from utils.files.csv_table import CsvTable, read_csv, write_csv
from utils.files.held_tables import HeldTables
from utils.runs.tasks import CLASSIFICATION, SURVIVAL, TASKS, Task

PROBABILITY_TOLERANCE = 1e-3  # probabilities may come from 16-bit arithmetic
# What to do about a damaged file that the test stage wrote.
ADVICE = "write it again with main.py --stage test --overwrite"
_TEXT = ("case_id", "slide_ids")
_INTEGER = ("label", "prediction", "event", "bin")
_BIN = "bin"
_HELD = HeldTables()


def classification_table(
    case_ids: Sequence[str],
    slide_ids: Sequence[Sequence[str]],
    label: np.ndarray,
    prob: np.ndarray,
    class_names: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The prediction table of a classification fold.

    Args:
        case_ids: n identifiers.
        slide_ids: the slides of each case; an identifier must not hold `;`.
        label: (n,) true class, 0..C-1; NaN where it is not known.
        prob: (n, C) class probabilities; each row sums to 1 within 1e-3.
        class_names: C names, for the columns `label_name` and `prediction_name`.

    The column `prediction` is the class of the highest probability (the first one of a tie).

    Raises:
        ValueError: a shape or a value is not as above.
    """
    prob = _as_floats("prob", prob)
    if prob.ndim != 2 or prob.shape[1] < 2:
        raise ValueError(f"prob: expected shape (n, C) with at least two classes, got {prob.shape}")
    table = _identifiers(case_ids, slide_ids, n_cases=len(prob))
    table["label"] = _column("label", label, len(prob))
    table["prediction"] = prob.argmax(axis=1)
    table = _finished(table, prob, CLASSIFICATION)
    if class_names is not None:
        for name in ("label", "prediction"):
            numbers = table[name].tolist()
            table[f"{name}_name"] = ["" if number is pd.NA else class_names[number] for number in numbers]
    return table


def survival_table(
    case_ids: Sequence[str],
    slide_ids: Sequence[Sequence[str]],
    time: np.ndarray,
    event: np.ndarray,
    bin: np.ndarray,
    risk: np.ndarray,
    hazard: np.ndarray,
) -> pd.DataFrame:
    """The prediction table of a survival fold.

    Args:
        case_ids: n identifiers.
        slide_ids: the slides of each case; an identifier must not hold `;`.
        time: (n,) follow-up in months; NaN where the outcome is not known, and so `event` and `bin`.
        event: (n,) 1 = death observed, 0 = censored.
        bin: (n,) time interval of `time`, 0..C-1.
        risk: (n,) higher risk = earlier death.
        hazard: (n, C) probability to die in an interval given survival up to it.

    Raises:
        ValueError: a shape or a value is not as above.
    """
    hazard = _as_floats("hazard", hazard)
    if hazard.ndim != 2 or hazard.shape[1] < 1:
        raise ValueError(f"hazard: expected shape (n, C), got {hazard.shape}")
    table = _identifiers(case_ids, slide_ids, n_cases=len(hazard))
    for name, values in (("time", time), ("event", event), ("bin", bin), ("risk", risk)):
        table[name] = _column(name, values, len(hazard))
    return _finished(table, hazard, SURVIVAL)


def write_predictions(path: Path, table: pd.DataFrame, *, may_lack_outcomes: bool = False) -> None:
    """Write a table of this module to `path` as CSV, atomically.

    Raises:
        ValueError: a value of the table is not as this module describes.
    """
    problem = _first_problem(table, task_of(table), may_lack_outcomes=may_lack_outcomes)
    if problem is not None:
        raise ValueError(f"refused to write {path}: {problem}")
    write_csv(path, table)


def read_predictions(path: Path, *, may_lack_outcomes: bool = False) -> pd.DataFrame:
    """Read and check a prediction file; ids are text, integers int64 (Int64 where some are unknown), the rest float64.

    Raises:
        UserError: the file is missing or unreadable, lacks a column, or holds a value that is not as this module
            describes (file, column, line, value and what was expected are named).
    """
    return _HELD.table(path, lambda: _read(path, may_lack_outcomes), may_lack_outcomes)


def _read(path: Path, may_lack_outcomes: bool) -> pd.DataFrame:
    cells = read_csv(path, advice=ADVICE)
    table = pd.DataFrame(cells.rows, columns=cells.header, dtype=object)
    try:
        task = task_of(table)
    except ValueError as error:
        raise cells.error(str(error)) from error
    cells.require(_required(table, task))
    for name in _required(table, task)[len(_TEXT) :]:
        table[name] = cells.floats(name)
    problem = _first_problem(table, task, cells, may_lack_outcomes=may_lack_outcomes)
    if problem is not None:
        raise cells.error(problem)
    return _with_integers(table)


def with_outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """The cases of a table whose outcome is known, numbered from 0 on."""
    return _with_integers(table[~_lacks_outcome(table, task_of(table))].reset_index(drop=True))


def task_of(table: pd.DataFrame) -> Task:
    """The task of a prediction table, by its columns.

    Raises:
        ValueError: the columns are those of neither.
    """
    for task in TASKS.values():
        if f"{task.output}_0" in table.columns:
            return task
    expected = " or ".join(f"{task.output}_0 ({task.name})" for task in TASKS.values())
    raise ValueError(f"expected a column {expected}, found {', '.join(map(str, table.columns))}")


def output_columns(table: pd.DataFrame) -> list[str]:
    """The names `prob_0 .. prob_{C-1}` or `hazard_0 .. hazard_{C-1}`, in the order of the classes or intervals."""
    output = task_of(table).output
    n_outputs = sum(str(name).startswith(f"{output}_") for name in table.columns)
    return [f"{output}_{index}" for index in range(n_outputs)]


def _required(table: pd.DataFrame, task: Task) -> list[str]:
    return [*_TEXT, *task.known, *output_columns(table)]


def _as_floats(name: str, values: np.ndarray) -> np.ndarray:
    """`values` as float64: a float32 written as such would read back as another float64."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected numbers, got an array of {array.dtype}")
    return array.astype(np.float64)


def _column(name: str, values: np.ndarray, n_cases: int) -> np.ndarray:
    array = _as_floats(name, values)
    if array.shape != (n_cases,):
        raise ValueError(f"{name}: expected shape ({n_cases},), got {array.shape}")
    return array


def _identifiers(case_ids: Sequence[str], slide_ids: Sequence[Sequence[str]], n_cases: int) -> pd.DataFrame:
    if len(case_ids) != n_cases or len(slide_ids) != n_cases:
        raise ValueError(f"expected {n_cases} cases, got {len(case_ids)} case_ids and {len(slide_ids)} slide_ids")
    for slides in slide_ids:
        for slide in slides:
            if ";" in slide:
                raise ValueError(f"slide id {slide!r} holds ';', which separates slides in a prediction file")
    joined = [";".join(slides) for slides in slide_ids]
    return pd.DataFrame({"case_id": list(case_ids), "slide_ids": joined}, dtype=object)


def _finished(table: pd.DataFrame, output: np.ndarray, task: Task) -> pd.DataFrame:
    for index in range(output.shape[1]):
        table[f"{task.output}_{index}"] = output[:, index]
    problem = _first_problem(table, task, may_lack_outcomes=True)
    if problem is not None:
        raise ValueError(problem)
    return _with_integers(table)


def _with_integers(table: pd.DataFrame) -> pd.DataFrame:
    """Integers as such: int64, or pandas' Int64 for a column with unknown values."""
    names = [name for name in _INTEGER if name in table.columns]
    return table.astype({name: "Int64" if table[name].isna().any() else "int64" for name in names})


def _lacks_outcome(table: pd.DataFrame, task: Task) -> np.ndarray:
    """(n,) whether nothing is known of what is true of a case."""
    lacks: np.ndarray = table[list(task.outcome)].isna().all(axis=1).to_numpy()
    return lacks


def _first_problem(
    table: pd.DataFrame, task: Task, cells: CsvTable | None = None, *, may_lack_outcomes: bool
) -> str | None:
    """The first value that is not as the module describes, in words; `cells`: the text that it was read from."""
    lacking = _lacks_outcome(table, task) if may_lack_outcomes else np.zeros(len(table), dtype=bool)
    for name, good, expected in _rules(table, task):
        if name in task.outcome:
            good = good | lacking
        if name == _BIN and may_lack_outcomes:
            good = good | table[_BIN].isna().to_numpy()
        if not good.all():
            row = int(np.argmin(good))
            if name not in table.columns:
                found = ", ".join(str(value) for value in table[output_columns(table)].iloc[row])
            else:
                value = table[name].iloc[row]
                found = repr(str(value) if cells is None else cells.column(name)[row])
            line = row + 2 if cells is None else cells.lines[row]
            return f"column {name}, line {line}: found {found}, expected {expected}"
    return None


def _rules(table: pd.DataFrame, task: Task) -> Iterator[tuple[str, np.ndarray, str]]:
    """Column, (n,) whether each row is good, and what is expected."""
    outputs = output_columns(table)
    values = table[outputs].to_numpy(dtype=np.float64)  # (n, C)
    for name in _TEXT:
        yield name, np.array([isinstance(text, str) and text != "" for text in table[name]]), "a text"
    yield "slide_ids", _new_slides(table["slide_ids"]), "slides that no case above has"
    for index, name in enumerate(outputs):
        inside = (values[:, index] >= -PROBABILITY_TOLERANCE) & (values[:, index] <= 1 + PROBABILITY_TOLERANCE)
        yield name, inside, "a probability"
    classes = f"an integer from 0 to {len(outputs) - 1}"
    if task == CLASSIFICATION:
        sums = np.abs(values.sum(axis=1) - 1) <= PROBABILITY_TOLERANCE
        yield f"{outputs[0]}..{outputs[-1]}", sums, "probabilities that sum to 1"
        yield "label", np.isin(_numbers(table, "label"), range(len(outputs))), classes
        yield "prediction", np.isin(table["prediction"], range(len(outputs))), classes
        predicted = values[np.arange(len(table)), table["prediction"].to_numpy().astype(np.int64)]
        yield "prediction", predicted == values.max(axis=1), "the class of the highest probability"
    else:
        time = _numbers(table, "time")
        yield "time", np.isfinite(time) & (time >= 0), "months, 0 or more"
        yield "event", np.isin(_numbers(table, "event"), (0, 1)), "1 (death observed) or 0 (censored)"
        yield "bin", np.isin(_numbers(table, "bin"), range(len(outputs))), classes
        yield "risk", np.isfinite(table["risk"].to_numpy(dtype=np.float64)), "a finite number"


def _numbers(table: pd.DataFrame, name: str) -> np.ndarray:
    """A column as float64 (n,), NaN where it is unknown."""
    return table[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _new_slides(joined: Sequence[str]) -> np.ndarray:
    """(n,) whether no slide of a case occurs earlier in the table."""
    seen: set[str] = set()
    good = []
    for text in joined:
        slides = text.split(";")
        good.append(len(set(slides)) == len(slides) and seen.isdisjoint(slides))
        seen.update(slides)
    return np.array(good)
