"""Runs of one cohort that differ by their seed only, taken together as the paper's tables take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from utils.files.phrases import numbered
from utils.report.run_results import RunResults
from utils.report.validation_metrics import validation_averages
from utils.runs.deciding_options import deciding_options
from utils.runs.features_of_runs import same_features
from utils.runs.protocol import completed
from utils.runs.tasks import Task
from utils.statistics.interval import Interval, logit_interval
from utils.statistics.metric_intervals import mean_estimate, repeated_patients
from utils.tables.averages import cases_of_means, over_folds


@dataclass(frozen=True)
class SeedPool:
    """Runs that differ by their seed only, in the order of their seeds; most often one."""

    runs: tuple[RunResults, ...]

    @property
    def first(self) -> RunResults:
        """The run of the lowest seed, which stands for what all have in common."""
        return self.runs[0]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each run."""
        return tuple(run.run["seed"] for run in self.runs)

    @cached_property
    def name(self) -> str:
        """The name of the run, or what the names of several have in common, with their seeds."""
        return self.first.name if len(self.runs) == 1 else f"{self.stem} ({numbered('seed', self.seeds)})"

    @cached_property
    def stem(self) -> str:
        """The same without seeds."""
        if len(self.runs) == 1:
            return self.first.name
        stems = {_without_seed(run.name, run.run["seed"]) for run in self.runs}
        return next(iter(stems)) if len(stems) == 1 else self.first.name

    @property
    def model(self) -> str:
        """The model in words."""
        return self.first.model

    @property
    def task(self) -> Task:
        """The task of the runs."""
        return self.first.task

    @property
    def metric(self) -> str:
        """The metric that the runs are judged by."""
        return self.first.metric

    @property
    def tables(self) -> dict[tuple[int, int], pd.DataFrame]:
        """{(seed, fold): predictions of its test cases}."""
        return {(run.run["seed"], fold): table for run in self.runs for fold, table in run.tables.items()}

    @property
    def folds(self) -> set[int]:
        """The folds that any seed tested."""
        return {fold for run in self.runs for fold in run.tables}

    @cached_property
    def averages(self) -> Mapping[str, Any]:
        """Over folds, of the mean over seeds, as in the paper's tables: see `utils.tables.averages`; with `folds`.

        A fold has `n_test` (and in survival `n_events`) as with each seed, and the metrics.
        """
        rows: dict[int, dict[str, list[float]]] = {}
        counts: dict[int, dict[str, int]] = {}
        for run in self.runs:
            for row in (run.summary or {"folds": ()})["folds"]:
                of_fold = rows.setdefault(row["fold"], {})
                counts[row["fold"]] = {name: row[name] for name in ("n_test", "n_events") if name in row}
                for metric in self.task.metrics:
                    of_fold.setdefault(metric, []).extend([] if row[metric] is None else [row[metric]])
        folds = [
            {metric: float(np.mean(values)) if values else None for metric, values in of_fold.items()} | counts[fold]
            for fold, of_fold in rows.items()
        ]
        averages = {**over_folds(folds, self.task.metrics), **cases_of_means(folds, self.task.metrics)}
        return {**averages, "folds": folds, "unit": self.first.unit}

    @cached_property
    def validation(self) -> Mapping[str, Any]:
        """The same of the main metric of the validation cases."""
        return validation_averages(self.runs)

    @cached_property
    def interval(self) -> Interval:
        """The main metric with its 95 % interval: of the mean over folds of the mean over seeds.

        As of `utils.statistics.metric_intervals`, with the jackknife variance of the mean over seeds: a patient is left
        out of all of them. The trained models are held fixed.
        """
        if len(self.runs) == 1:
            return self.first.intervals[self.metric].overall
        of_fold = (mean_estimate(self.tables_of_fold(fold), self.metric) for fold in sorted(self.folds))
        known = [estimate for estimate in of_fold if estimate is not None]
        if not known:
            return Interval(None, None, None, "undefined in every fold")
        repeated = repeated_patients([self.tables_of_fold(fold)[0] for fold in sorted(self.folds)])
        found = logit_interval(known)
        return found if repeated is None else Interval(found.value, None, None, repeated)

    def tables_of_fold(self, fold: int) -> list[pd.DataFrame]:
        """The predictions of its test cases, of each seed that has it."""
        return [run.tables[fold] for run in self.runs if fold in run.tables]


Cohorts = dict[tuple[str, str], list[SeedPool]]  # {(task, data set): its runs}


def seed_pools(runs: Sequence[RunResults]) -> list[SeedPool]:
    """The runs of a cohort with those together that differ by their seed only, in the order of their first names.

    Runs of other splits, anchors or features, or of one seed, are never put together.
    """
    pools: list[list[RunResults]] = []
    for run in runs:
        for pool in pools:
            if all(_belong_together(run, other) for other in pool):
                pool.append(run)
                break
        else:
            pools.append([run])
    return [SeedPool(tuple(sorted(pool, key=lambda run: run.run["seed"]))) for pool in pools]


def options_of(run: RunResults) -> dict[str, Any]:
    """The options of a run that its numbers depend on, but for the seed, and what no option decides."""
    options = deciding_options(run.run) | {"formulation": run.run["formulation"]} | completed(run.run)["protocol"]
    return {name: value for name, value in options.items() if name != "seed"}


def _belong_together(one: RunResults, other: RunResults) -> bool:
    if one.run["seed"] == other.run["seed"] or options_of(one) != options_of(other):
        return False
    return same_features(one.run, other.run) and all(
        _agree(one.run.get(name), other.run.get(name)) for name in ("splits", "anchors")
    )


def _agree(one: Any, other: Any) -> bool:
    """Whether two records {name: digest} have the same digest for each name that both have."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one == other
    return all(one[name] == other[name] for name in one.keys() & other.keys())


def _without_seed(name: str, seed: int) -> str:
    """`mico_released_seed7` without `_seed7`; a name that does not end so stays as it is."""
    return name.removesuffix(f"seed{seed}").rstrip("_-. ") or name
