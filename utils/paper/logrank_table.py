"""The risk halves of each model and survival cohort: hazard ratio, stratified log-rank p, and the released pooled p."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from utils.files.phrases import counted
from utils.files.text_table import STARRED_BELOW, format_p, format_ratio
from utils.paper.grids import Entry, Footnotes, PaperTable, TableRow, csv_line
from utils.paper.planned_results import PlannedResult, PlannedResults, Variant
from utils.runs.tasks import SURVIVAL
from utils.statistics.group_effect import RATIO_OF_0
from utils.statistics.risk_groups import SHARED_TRAINING

NAME = "table1_logrank"
MISSING = "missing"
HAZARD_RATIO, STRATIFIED, RELEASED = "hazard_ratio", "logrank_p_stratified", "logrank_p"
# The rows of a model, in their order.
FIGURES = {
    HAZARD_RATIO: "hazard ratio (95 % interval)",
    STRATIFIED: "log-rank p, stratified by fold",
    RELEASED: "log-rank p, released: pooled, not stratified",
}
_IDENTITY = ("task", "dataset", "model", "formulation", "ablate", "n_clusters")
_COUNTS = ("n_folds", "n_folds_planned", "n_seeds", "n_seeds_planned")
_VALUES = ("value", "low", "high", "lowest", "highest")
CSV_COLUMNS = (*_IDENTITY, "metric", *_VALUES, "star", *_COUNTS, "note", "run_dirs")
_RULES = (
    "The halves of the test cases (high: risk >= median of the fold), the folds of a run together. The folds are "
    "models of different training sets, so each half is relative to its fold. Hazard ratio: high against low half, by "
    "Cox regression stratified by fold; above 1 the high half dies earlier, below 1 it lives longer. Log-rank p: "
    "stratified by fold, and as the released evaluation reports it for a cohort, pooled and not stratified.",
    SHARED_TRAINING,
    f"A star, as in the released evaluation, at its p alone: p < {STARRED_BELOW}, without correction for the number of "
    "tests; with several seeds: the p value of every planned seed is below. The test has two sides: where the "
    "hazard ratio is below 1, the cell of a star says it. No star where a fold or a seed is missing.",
    "Several seeds: the median of one figure per seed (of an interval, of each limit), and their range in brackets; "
    "the same patients are never pooled twice. The brackets also say what part of the planned folds or seeds a cell is "
    "made of; missing: planned, no results yet; not planned: not among the runs of the plan.",
)


@dataclass(frozen=True)
class GroupFigure:
    """One figure of the risk halves of one model in one cohort.

    Attributes:
        metric: which, of `FIGURES`.
        values: one per seed that has one.
        limits: 95 % limits of each; empty for p values.
        n_folds: folds of which any of these values is made.
        n_folds_planned: of the cohort.
        n_seeds_planned: lines of the plan.
        n_trainings: pairs of fold and seed of which these values are made.
        n_tested: seeds with predictions, whether they define the figure or not.
        remarks: why a seed has none, and which folds are left out of one.
        run_dirs: the planned folders, as the plan writes them.
        n_below_1: of the seeds with a value, how many have a hazard ratio below 1 (the high half lives longer).
    """

    metric: str
    values: tuple[float, ...]
    limits: tuple[tuple[float, float], ...]
    n_folds: int
    n_folds_planned: int
    n_seeds_planned: int
    n_trainings: int
    n_tested: int
    remarks: tuple[str, ...]
    run_dirs: tuple[str, ...]
    n_below_1: int = 0

    @property
    def has_star(self) -> bool:
        """Whether the released p of every planned seed, over all folds, is below 0.05."""
        whole = self.n_trainings == self.n_seeds_planned * self.n_folds_planned > 0
        is_whole_p = self.metric == RELEASED and whole and len(self.values) == self.n_seeds_planned
        return is_whole_p and max(self.values) < STARRED_BELOW


def logrank_table(results: PlannedResults) -> PaperTable:
    """Three rows per model, one of each figure, and a column per survival cohort."""
    cohorts, notes, rows = results.cohorts(SURVIVAL.name), Footnotes(), []
    for variant in results.models(SURVIVAL.name):
        for metric, words in FIGURES.items():
            entries = [_entry(results, dataset, variant, metric, notes) for dataset in cohorts]
            rows.append(TableRow((variant.name, words), tuple(entries)))
    return PaperTable(
        name=NAME,
        title="Risk halves: hazard ratio and log-rank p",
        header=("model", "figure", *cohorts),
        rows=tuple(rows),
        explanation=_RULES,
        notes=notes.lines(),
        csv_columns=CSV_COLUMNS,
    )


def group_figure(runs: Sequence[PlannedResult], metric: str, n_folds_planned: int) -> GroupFigure:
    """One figure of one model and cohort, from its runs (one per seed)."""
    values: list[float] = []
    limits: list[tuple[float, float]] = []
    folds: list[int] = []
    n_below_1 = 0
    remarks: list[str] = []
    tested = [run for run in runs if run.summary is not None]
    for run in tested:
        summary = run.summary or {}
        pooled = summary["pooled"]
        which = f" with seed {run.planned.seed}" if len(runs) > 1 else ""
        remarks += [
            f"fold {fold}{which} left out ({reason})"
            for fold, reason in pooled["left_out"].items()
            if reason != MISSING
        ]  # that folds are missing is said in the cell
        value, of_value, reason = _figure(summary, metric)
        if value is None:
            remarks.append(f"undefined{which} ({reason})")
        else:
            values.append(value)
            limits += of_value
            folds += pooled["folds"]
            n_below_1 += _is_below_1(summary["risk_groups"]["stratified"])
    return GroupFigure(
        metric=metric,
        values=tuple(values),
        limits=tuple(limits),
        n_folds=len(set(folds)),
        n_folds_planned=n_folds_planned,
        n_seeds_planned=len(runs),
        n_trainings=len(folds),
        n_tested=len(tested),
        remarks=tuple(remarks),
        run_dirs=tuple(run.planned.run_dir for run in runs),
        n_below_1=n_below_1,
    )


def _is_below_1(row: Mapping[str, Any]) -> bool:
    """Whether the high half lives longer, a hazard ratio of 0 included, which has no value."""
    ratio = row["hazard_ratio"]
    return row["reasons"].get("hazard_ratio") == RATIO_OF_0 if ratio is None else ratio < 1


def _figure(summary: Mapping[str, Any], metric: str) -> tuple[float | None, list[tuple[float, float]], str | None]:
    """The figure of one run, its limits if it has any, and why it is None."""
    if metric == RELEASED:
        return summary["pooled"]["logrank_p"], [], summary["pooled"]["reason"]
    row = summary["risk_groups"]["stratified"]
    if metric == STRATIFIED:
        return row["logrank_p"], [], row["reasons"].get("logrank_p")
    ratio = row["hazard_ratio"]
    limits = [] if ratio is None else [(row["hazard_ratio_low"], row["hazard_ratio_high"])]
    return ratio, limits, row["reasons"].get("hazard_ratio")


def figure_text(cell: GroupFigure, note: int | None = None) -> str:
    """A cell for a reader: `1.80, 1.20 to 2.70`, `0.012*`, `0.030 (3 seeds, 0.004 to 0.081)`, `undefined (note 1)`.

    `note` is the number of the footnote with the remarks.
    """
    if cell.n_seeds_planned == 0:
        return "not planned"
    if cell.n_tested == 0:
        return "missing"
    brackets = [] if note is None else [f"note {note}"]
    if not cell.values:
        return "undefined" + (f" ({brackets[0]})" if brackets else "")
    brackets = [*_seeds(cell), *_shortfall(cell), *_direction(cell), *brackets]
    shown = _written(cell, float(np.median(cell.values))) + "*" * cell.has_star
    if cell.limits:
        low, high = np.median(cell.limits, axis=0)
        shown += f", {format_ratio(low)} to {format_ratio(high)}"
    return shown + (f" ({', '.join(brackets)})" if brackets else "")


def _written(cell: GroupFigure, value: float) -> str:
    return format_ratio(value) if cell.metric == HAZARD_RATIO else format_p(value)


def _direction(cell: GroupFigure) -> list[str]:
    """That a star is no success where the half called high-risk lives longer."""
    if not cell.has_star or cell.n_below_1 == 0:
        return []
    n_seeds = len(cell.values)
    of_some = f" with {cell.n_below_1} of {n_seeds} seeds" if cell.n_below_1 < n_seeds else ""
    return [f"hazard ratio below 1{of_some}"]


def _seeds(cell: GroupFigure) -> list[str]:
    """The range over two or more seeds, and how many they are where `_shortfall` does not say it."""
    n_seeds = len(cell.values)
    if n_seeds < 2:
        return []
    number = [f"{n_seeds} seeds"] if n_seeds == cell.n_seeds_planned else []
    return [*number, f"{_written(cell, min(cell.values))} to {_written(cell, max(cell.values))}"]


def _shortfall(cell: GroupFigure) -> list[str]:
    parts = []
    if cell.n_folds != cell.n_folds_planned:
        parts.append(f"{cell.n_folds} of {counted(cell.n_folds_planned, 'fold')}")
    if len(cell.values) != cell.n_seeds_planned:
        parts.append(f"{len(cell.values)} of {counted(cell.n_seeds_planned, 'seed')}")
    if cell.n_trainings != cell.n_folds * len(cell.values):  # one seed lacks a fold that another one has
        parts.append(f"{cell.n_trainings} of {cell.n_folds * len(cell.values)} trainings")
    return parts


def _entry(results: PlannedResults, dataset: str, variant: Variant, metric: str, notes: Footnotes) -> Entry:
    runs = results.of(SURVIVAL.name, dataset, variant)
    cell = group_figure(runs, metric, n_folds_planned=len(results.folds(SURVIVAL.name, dataset)))
    remarks = "; ".join(cell.remarks)
    number = notes.number(f"{dataset}, risk halves: {remarks}") if remarks else None
    identity = csv_line(results, SURVIVAL.name, dataset, variant, metric)
    line = {**{name: identity[name] for name in (*_IDENTITY, "metric")}, **_csv_values(cell)}
    return Entry(figure_text(cell, number), None, line)  # the smallest p is no best model: nothing is bold


def _csv_values(cell: GroupFigure) -> Mapping[str, str]:
    shown: dict[str, float] = {}
    if cell.values:
        shown = {"value": float(np.median(cell.values)), "lowest": min(cell.values), "highest": max(cell.values)}
    if cell.limits:
        shown |= dict(zip(("low", "high"), np.median(cell.limits, axis=0), strict=True))
    if cell.n_tested == 0:
        note = figure_text(cell)  # missing or not planned
    else:
        note = "; ".join([*(_shortfall(cell) if cell.values else []), *_direction(cell), *cell.remarks])
    return {
        **{name: repr(float(shown[name])) if name in shown else "" for name in _VALUES},
        "star": "*" * cell.has_star,
        "n_folds": str(cell.n_folds),
        "n_folds_planned": str(cell.n_folds_planned or ""),
        "n_seeds": str(len(cell.values)),
        "n_seeds_planned": str(cell.n_seeds_planned),
        "note": note,
        "run_dirs": ";".join(cell.run_dirs),
    }
