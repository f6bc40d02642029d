"""Log-rank p of each model and survival cohort, the folds of a run pooled: the figure of the released evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from utils.files.phrases import counted
from utils.files.text_table import STARRED_BELOW, format_p
from utils.paper.grids import Entry, Footnotes, PaperTable, TableRow, csv_line
from utils.paper.planned_results import PlannedResult, PlannedResults, Variant
from utils.runs.tasks import METRIC_WORDS, SURVIVAL

NAME = "table1_logrank"
MISSING = "missing"
_IDENTITY = ("task", "dataset", "model", "formulation", "ablate", "n_clusters")
_COUNTS = ("n_folds", "n_folds_planned", "n_seeds", "n_seeds_planned")
CSV_COLUMNS = (*_IDENTITY, "logrank_p", "lowest", "highest", "star", *_COUNTS, "note", "run_dirs")
_RULES = (
    "A cell is the p value of the log-rank test between the halves of the test cases (high: risk >= median of the "
    "fold), the folds of a run pooled, not stratified: the figure that the released evaluation reports for a cohort. "
    "The folds are models of different training sets, so each half is relative to its fold.",
    f"A star, as in the released evaluation: p < {STARRED_BELOW}, without correction for the number of tests; with "
    "several seeds: the p value of every planned seed is below. No star where a fold or a seed is missing.",
    "Several seeds: the median of one p value per seed, and their range in brackets; the same patients are never "
    "pooled twice. The brackets also say what part of the planned folds or seeds a cell is made of; missing: planned, "
    "no results yet; not planned: not among the runs of the plan.",
)


@dataclass(frozen=True)
class PooledP:
    """The pooled log-rank p values of one model in one cohort.

    Attributes:
        p: one per seed that has one.
        n_folds: folds of which any of these p is made.
        n_folds_planned: of the cohort.
        n_seeds_planned: lines of the plan.
        n_trainings: pairs of fold and seed of which these p are made.
        n_tested: seeds with predictions, whether they define p or not.
        remarks: why a seed has no p, and which folds are left out of one.
        run_dirs: the planned folders, as the plan writes them.
    """

    p: tuple[float, ...]
    n_folds: int
    n_folds_planned: int
    n_seeds_planned: int
    n_trainings: int
    n_tested: int
    remarks: tuple[str, ...]
    run_dirs: tuple[str, ...]

    @property
    def has_star(self) -> bool:
        """Whether p of every planned seed, over all folds, is below 0.05."""
        whole = self.n_trainings == self.n_seeds_planned * self.n_folds_planned > 0
        return whole and len(self.p) == self.n_seeds_planned and max(self.p) < STARRED_BELOW


def logrank_table(results: PlannedResults) -> PaperTable:
    """A row per model, a column per survival cohort."""
    cohorts, notes, rows = results.cohorts(SURVIVAL.name), Footnotes(), []
    for variant in results.models(SURVIVAL.name):
        entries = [_entry(results, dataset, variant, notes) for dataset in cohorts]
        rows.append(TableRow((variant.name,), tuple(entries)))
    return PaperTable(
        name=NAME,
        title="Log-rank p of the risk halves, folds pooled",
        header=("model", *cohorts),
        rows=tuple(rows),
        explanation=_RULES,
        notes=notes.lines(),
        csv_columns=CSV_COLUMNS,
    )


def pooled_p_of(runs: Sequence[PlannedResult], n_folds_planned: int) -> PooledP:
    """The p values of one row and cohort, from its runs (one per seed)."""
    p: list[float] = []
    folds: list[int] = []
    remarks: list[str] = []
    tested = [run for run in runs if run.summary is not None]
    for run in tested:
        pooled = (run.summary or {})["pooled"]
        which = f" with seed {run.planned.seed}" if len(runs) > 1 else ""
        remarks += [
            f"fold {fold}{which} left out ({reason})"
            for fold, reason in pooled["left_out"].items()
            if reason != MISSING
        ]  # that folds are missing is said in the cell
        if pooled["logrank_p"] is None:
            remarks.append(f"undefined{which} ({pooled['reason']})")
        else:
            p.append(pooled["logrank_p"])
            folds += pooled["folds"]
    return PooledP(
        p=tuple(p),
        n_folds=len(set(folds)),
        n_folds_planned=n_folds_planned,
        n_seeds_planned=len(runs),
        n_trainings=len(folds),
        n_tested=len(tested),
        remarks=tuple(remarks),
        run_dirs=tuple(run.planned.run_dir for run in runs),
    )


def pooled_p_text(cell: PooledP, note: int | None = None) -> str:
    """A cell for a reader: `0.012*`, `0.030 (3 seeds, 0.004 to 0.081)`, `0.210 (3 of 4 folds)`, `undefined (note 1)`.

    `note` is the number of the footnote with the remarks.
    """
    if cell.n_seeds_planned == 0:
        return "not planned"
    if cell.n_tested == 0:
        return "missing"
    brackets = [] if note is None else [f"note {note}"]
    if not cell.p:
        return "undefined" + (f" ({brackets[0]})" if brackets else "")
    brackets = [*_seeds(cell), *_shortfall(cell), *brackets]
    shown = format_p(float(np.median(cell.p))) + "*" * cell.has_star
    return shown + (f" ({', '.join(brackets)})" if brackets else "")


def _seeds(cell: PooledP) -> list[str]:
    """The range of p over two or more seeds, and how many they are where `_shortfall` does not say it."""
    n_seeds = len(cell.p)
    if n_seeds < 2:
        return []
    number = [f"{n_seeds} seeds"] if n_seeds == cell.n_seeds_planned else []
    return [*number, f"{format_p(min(cell.p))} to {format_p(max(cell.p))}"]


def _shortfall(cell: PooledP) -> list[str]:
    parts = []
    if cell.n_folds != cell.n_folds_planned:
        parts.append(f"{cell.n_folds} of {counted(cell.n_folds_planned, 'fold')}")
    if len(cell.p) != cell.n_seeds_planned:
        parts.append(f"{len(cell.p)} of {counted(cell.n_seeds_planned, 'seed')}")
    if cell.n_trainings != cell.n_folds * len(cell.p):  # one seed lacks a fold that another one has
        parts.append(f"{cell.n_trainings} of {cell.n_folds * len(cell.p)} trainings")
    return parts


def _entry(results: PlannedResults, dataset: str, variant: Variant, notes: Footnotes) -> Entry:
    runs = results.of(SURVIVAL.name, dataset, variant)
    cell = pooled_p_of(runs, n_folds_planned=len(results.folds(SURVIVAL.name, dataset)))
    remarks = "; ".join(cell.remarks)
    number = notes.number(f"{dataset}, {METRIC_WORDS['logrank_p']}: {remarks}") if remarks else None
    identity = csv_line(results, SURVIVAL.name, dataset, variant, "logrank_p")
    line = {**{name: identity[name] for name in _IDENTITY}, **_csv_values(cell)}
    return Entry(pooled_p_text(cell, number), None, line)  # the smallest p is no best model: nothing is bold


def _csv_values(cell: PooledP) -> Mapping[str, str]:
    shown = [repr(float(value)) for value in (np.median(cell.p), min(cell.p), max(cell.p))] if cell.p else [""] * 3
    if cell.n_tested == 0:
        note = pooled_p_text(cell)  # missing or not planned
    else:
        note = "; ".join([*(_shortfall(cell) if cell.p else []), *cell.remarks])
    return {
        **dict(zip(("logrank_p", "lowest", "highest"), shown, strict=True)),
        "star": "*" * cell.has_star,
        "n_folds": str(cell.n_folds),
        "n_folds_planned": str(cell.n_folds_planned or ""),
        "n_seeds": str(len(cell.p)),
        "n_seeds_planned": str(cell.n_seeds_planned),
        "note": note,
        "run_dirs": ";".join(cell.run_dirs),
    }
