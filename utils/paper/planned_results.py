"""What is there of the runs of a plan: the summary of each, and which of them a row of a table is about."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from utils.paper.published import BEST_ANCHORS, model_name
from utils.runs.run_dir import fold_files
from utils.runs.run_plan import ABLATIONS, FORMULATIONS, MICO, PlannedRun, check_record, read_plan
from utils.runs.run_record import read_run
from utils.tables.summary import summarise

_WITHOUT = {
    "anchors": "without anchor initialisation",
    "reducer": "without Cluster Reducer",
    "route": "without Cluster Route",
}


class Variant(NamedTuple):
    """A row of the tables: a model, for MiCo in one form and perhaps without one of its parts."""

    model: str
    formulation: str
    ablate: str = ""

    @property
    def name(self) -> str:
        """How a table names it: `MiCo (paper form) without Cluster Route`."""
        form = " (paper form)" if self.formulation == "paper" else ""
        return " ".join([model_name(self.model) + form, *([_WITHOUT[self.ablate]] if self.ablate else [])])


@dataclass(frozen=True)
class PlannedResult:
    """A planned run with its `run.json` (None: not there) and its summary (None: no fold was tested yet)."""

    planned: PlannedRun
    record: dict[str, Any] | None
    summary: dict[str, Any] | None

    @property
    def variant(self) -> Variant:
        """The row that it belongs to."""
        return Variant(self.planned.model, self.planned.formulation, self.planned.ablate)


@dataclass(frozen=True)
class PlannedResults:
    """All runs of a plan, in its order."""

    plan: Path
    runs: tuple[PlannedResult, ...]

    def cohorts(self, task: str) -> list[str]:
        """The data sets of a task, in the order of the plan."""
        return list(dict.fromkeys(run.planned.dataset for run in self.runs if run.planned.task == task))

    def folds(self, task: str, dataset: str) -> list[int]:
        """The folds of a cohort: all that the `run.json` of any of its runs lists.

        A model that was asked for fewer folds than the others of its cohort lacks some: its mean would be over other
        patients than theirs.
        """
        records = [run.record for run in self._of_cohort(task, dataset) if run.record is not None]
        summaries = [run.summary for run in self._of_cohort(task, dataset) if run.summary is not None]
        tested = {row["fold"] for summary in summaries for row in summary["folds"]}
        return sorted(tested.union(*(record["folds"] for record in records)))

    def main_formulation(self) -> str:
        """The form that the row `MiCo` and the ablations are about: released where the plan has it, else paper."""
        planned = {run.variant.formulation for run in self.runs if run.variant.model == MICO}
        return "paper" if planned == {"paper"} else FORMULATIONS[0]

    def models(self, task: str) -> list[Variant]:
        """The models of a task without ablations: MiCo first (main form, other form), the others in plan order."""
        found = dict.fromkeys(run.variant for run in self.runs if run.planned.task == task and not run.planned.ablate)
        main = self.main_formulation()
        return sorted(found, key=lambda variant: (variant.model != MICO, variant.formulation not in (main, "none")))

    def ablations(self) -> list[Variant]:
        """MiCo and the ablations of the plan in the main form, then in the other form where it has ablations of it."""
        planned = {run.variant for run in self.runs}
        forms = {variant.formulation for variant in planned if variant.ablate}
        ordered = [self.main_formulation()] + [form for form in FORMULATIONS if form in forms]
        every = [Variant(MICO, form, part) for form in dict.fromkeys(ordered) for part in ("", *ABLATIONS)]
        return [variant for variant in every if not variant.ablate or variant in planned]

    def n_clusters(self, task: str, dataset: str) -> int | None:
        """The number of anchors of MiCo in the tables of a cohort, None where the plan has no MiCo for it.

        It is the number that most of the cohort's MiCo lines have, ablations included, since these are trained with one
        number only; of equally many lines 64 is preferred, as published, then the first number of the plan.
        """
        numbers = [run.planned.n_clusters for run in self._of_cohort(task, dataset) if run.planned.model == MICO]
        if not numbers:
            return None
        lines = Counter(numbers)
        return max(lines, key=lambda number: (lines[number], number == BEST_ANCHORS))  # the first one of a tie

    def of(self, task: str, dataset: str, variant: Variant, n_clusters: int | None = None) -> list[PlannedResult]:
        """The runs of a row in a cohort, one per seed; MiCo with `n_clusters` anchors, by default as in the tables."""
        number = n_clusters or self.n_clusters(task, dataset)
        return [
            run
            for run in self._of_cohort(task, dataset)
            if run.variant == variant and (variant.model != MICO or run.planned.n_clusters == number)
        ]

    def _of_cohort(self, task: str, dataset: str) -> list[PlannedResult]:
        return [run for run in self.runs if (run.planned.task, run.planned.dataset) == (task, dataset)]


def load_results(plan: Path) -> PlannedResults:
    """The runs of a plan file with what their folders hold; every `run.json` is compared with its line first.

    Raises:
        UserError: see `utils.runs.run_plan.read_plan`, `utils.runs.run_plan.check_record` and
            `utils.tables.summarise`; a folder that is not there, or holds no predictions yet, is no error.
    """
    planned = read_plan(plan)
    records = [_record(plan, run) for run in planned]
    return PlannedResults(plan, tuple(_result(run, record) for run, record in zip(planned, records, strict=True)))


def _record(plan: Path, run: PlannedRun) -> dict[str, Any] | None:
    if not (run.path / "run.json").exists() and not fold_files(run.path, "predictions_test.csv"):
        return None
    record = read_run(run.path)
    check_record(plan, run, record)
    return record


def _result(run: PlannedRun, record: dict[str, Any] | None) -> PlannedResult:
    has_predictions = record is not None and bool(fold_files(run.path, "predictions_test.csv"))
    return PlannedResult(run, record, summarise(run.path) if has_predictions else None)
