"""One cell of the paper's tables: a metric of one model in one cohort, over the folds and seeds of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from utils.files.phrases import numbered
from utils.paper.planned_results import PlannedResult
from utils.tables.averages import cases_in_words, cases_of_means


@dataclass(frozen=True)
class Cell:
    """A metric over folds and seeds, and how much of what was planned it is made of.

    Attributes:
        mean: `mean_k m_k` over the folds k that define the metric, `m_k` the mean over the seeds of fold k; None
            where no fold defines it.
        std: `sqrt(mean_k (m_k - mean)^2)` (population); None for fewer than two folds, which have no deviation.
        n_folds, n_seeds, n_trainings: folds, seeds, and pairs of them that define the metric.
        n_folds_planned: of the cohort; None where no run of the cohort has begun.
        n_seeds_planned: lines of the plan; 0 where the plan has no such run.
        cases: the test cases of these folds in words, such as `45 cases, 20 deaths`; empty where no fold is there.
        n_tested: pairs of fold and seed that have predictions, whether they define the metric or not.
        reasons: {why the metric is undefined: the folds}.
        run_dirs: the planned folders, as the plan writes them.
    """

    mean: float | None
    std: float | None
    n_folds: int
    n_folds_planned: int | None
    n_seeds: int
    n_seeds_planned: int
    n_trainings: int
    cases: str
    n_tested: int
    reasons: Mapping[str, tuple[int, ...]]
    run_dirs: tuple[str, ...]

    @property
    def has_all_folds(self) -> bool:
        """Whether each fold of the cohort has a value, of one seed at least."""
        return self.mean is not None and self.n_folds == self.n_folds_planned

    @property
    def is_complete(self) -> bool:
        """Whether each fold has a value of each planned seed."""
        return self.has_all_folds and self.n_trainings == self.n_folds * self.n_seeds_planned


def cell_of(runs: Sequence[PlannedResult], metric: str, n_folds_planned: int) -> Cell:
    """The cell of one table row and cohort, from its runs (one per seed) and the number of folds of the cohort."""
    values: dict[int, list[float]] = {}
    defining: dict[int, Mapping[str, Any]] = {}  # a row of each fold that defines the metric
    reasons: dict[str, list[int]] = {}
    seeds, n_tested = set(), 0
    for run in runs:
        for row in run.summary["folds"] if run.summary is not None else ():
            n_tested += 1
            if row[metric] is None:
                reasons.setdefault(row["reasons"].get(metric, "no reason recorded"), []).append(row["fold"])
            else:
                values.setdefault(row["fold"], []).append(row[metric])
                defining[row["fold"]] = row
                seeds.add(run.planned.seed)
    of_folds = [float(np.mean(of_seeds)) for _, of_seeds in sorted(values.items())]
    return Cell(
        mean=float(np.mean(of_folds)) if of_folds else None,
        std=float(np.std(of_folds)) if len(of_folds) > 1 else None,
        n_folds=len(of_folds),
        n_folds_planned=n_folds_planned or None,
        n_seeds=len(seeds),
        n_seeds_planned=len(runs),
        n_trainings=sum(len(of_seeds) for of_seeds in values.values()),
        cases=_cases(list(defining.values()), metric, runs),
        n_tested=n_tested,
        reasons={reason: tuple(sorted(set(folds))) for reason, folds in reasons.items()},
        run_dirs=tuple(run.planned.run_dir for run in runs),
    )


def _cases(rows: Sequence[Mapping[str, Any]], metric: str, runs: Sequence[PlannedResult]) -> str:
    """The test cases of folds that define the metric, in words; empty without any."""
    units = [run.summary["unit"] for run in runs if run.summary is not None]
    return cases_in_words(cases_of_means(rows, [metric]) | {"unit": units[0]}, metric) if rows else ""


def cell_text(cell: Cell, *, always_folds: bool = False, note: int | None = None) -> str:
    """A cell: `0.680 ± 0.021 (3 of 4 folds, 45 cases, 20 deaths)`, `missing`, `undefined (note 1)` or `not planned`.

    A part of the folds comes with its own cases. What is complete has no bracket, unless `always_folds`. `note` is the
    number of the footnote with the reasons.
    """
    if cell.n_seeds_planned == 0:
        return "not planned"
    if cell.n_tested == 0:
        return "missing"
    remarks = [] if note is None else [f"note {note}"]
    if cell.mean is None:
        return f"undefined ({remarks[0]})" if remarks else "undefined"
    deviation = "" if cell.std is None else f" ± {cell.std:.3f}"
    remarks = [*_shortfall(cell, always_folds=always_folds), *remarks]
    return f"{cell.mean:.3f}{deviation}" + (f" ({', '.join(remarks)})" if remarks else "")


def undefined_text(cell: Cell) -> str:
    """In which folds the metric is undefined, and why: `undefined in fold 2 (no events)`; empty if in none."""
    parts = [f"in {numbered('fold', folds)} ({reason})" for reason, folds in cell.reasons.items()]
    return f"undefined {', '.join(parts)}" if parts else ""


def cell_note(cell: Cell) -> str:
    """What a machine-readable table says beside the numbers: what is missing or undefined; empty if nothing is."""
    if cell.n_seeds_planned == 0 or cell.n_tested == 0:
        return cell_text(cell)
    shortfall = [] if cell.mean is None else _shortfall(cell, always_folds=False)
    return "; ".join([*shortfall, *([undefined_text(cell)] if cell.reasons else [])])


def mean_over_cohorts(cells: Mapping[str, Cell]) -> tuple[float | None, list[str]]:
    """The plain mean over cohorts, and the cohorts that lack folds; with any such cohort there is no mean."""
    lacking = [dataset for dataset, of_cohort in cells.items() if not of_cohort.has_all_folds]
    if lacking or not cells:
        return None, lacking
    return float(np.mean([of_cohort.mean for of_cohort in cells.values()])), []


def _shortfall(cell: Cell, *, always_folds: bool) -> list[str]:
    parts = []
    if cell.n_folds != cell.n_folds_planned or always_folds:
        own_cases = f", {cell.cases}" if cell.n_folds != cell.n_folds_planned else ""
        parts.append(f"{cell.n_folds} of {cell.n_folds_planned} folds{own_cases}")
    if cell.n_seeds != cell.n_seeds_planned:
        parts.append(f"{cell.n_seeds} of {cell.n_seeds_planned} seeds")
    if cell.n_trainings != cell.n_folds * cell.n_seeds:  # one seed lacks a fold that another one has
        parts.append(f"{cell.n_trainings} of {cell.n_folds * cell.n_seeds} trainings")
    return parts
