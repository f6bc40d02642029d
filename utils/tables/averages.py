"""Mean and deviation of metrics over folds, and the cases that they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from utils.files.phrases import counted


def over_folds(folds: Sequence[Mapping[str, Any]], metrics: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`mean`, `std`, `sample_std` and `n_defined`, each {metric: value}, over the n folds that define it (not None).

    `std = sqrt(sum((x - mean)^2) / n)` is the population standard deviation, `sample_std` has n - 1 in place of n, and
    is None for fewer than two folds; mean and std are None where no fold defines the metric.

    >>> over_folds([{"acc": 0.5}, {"acc": 1.0}, {"acc": None}], ["acc"])["std"]
    {'acc': 0.25}
    """
    defined = {name: [fold[name] for fold in folds if fold[name] is not None] for name in metrics}
    return {
        "mean": {name: float(np.mean(values)) if values else None for name, values in defined.items()},
        "std": {name: float(np.std(values)) if values else None for name, values in defined.items()},
        "sample_std": {
            name: float(np.std(values, ddof=1)) if len(values) > 1 else None for name, values in defined.items()
        },
        "n_defined": {name: len(values) for name, values in defined.items()},
    }


def cases_of_means(folds: Sequence[Mapping[str, Any]], metrics: Iterable[str]) -> dict[str, dict[str, int]]:
    """`n_test`, and `n_events` where folds have it: {metric: how many are in the folds that define it}.

    Each fold has the number of its test cases as `n_test`; they must be other cases in each.

    >>> cases_of_means([{"auc": 0.5, "n_test": 9}, {"auc": None, "n_test": 8}], ["auc"])
    {'n_test': {'auc': 9}}
    """
    counts = ["n_test", *(["n_events"] if folds and "n_events" in folds[0] else [])]
    names = list(metrics)
    return {
        count: {name: sum(fold[count] for fold in folds if fold[name] is not None) for name in names}
        for count in counts
    }


def cases_in_words(averages: Mapping[str, Any], metric: str) -> str:
    """The test cases that a mean is of: `45 slides`, `45 cases, 20 deaths`; empty where `averages` does not say it.

    `averages` has what `cases_of_means` gives, and `unit`.
    """
    if "n_test" not in averages:
        return ""
    deaths = [counted(averages["n_events"][metric], "death")] if "n_events" in averages else []
    return ", ".join([counted(averages["n_test"][metric], averages["unit"]), *deaths])


def mean_and_deviation(averages: Mapping[str, Any], metric: str, digits: int = 3) -> str:
    """`0.789 ± 0.021` (population standard deviation); a single fold has no deviation; a dash where it is undefined."""
    mean, deviation, defined = (averages[name][metric] for name in ("mean", "std", "n_defined"))
    if mean is None:
        return "–"
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}" if defined > 1 else f"{mean:.{digits}f}"


def mean_text(averages: Mapping[str, Any], metric: str, digits: int = 3) -> str:
    """The same with what it is of, where some folds do not define it: `0.789 ± 0.021 (3 of 4 folds, 45 slides)`.

    `averages` has its `folds`, beside what `over_folds` and `cases_of_means` give.
    """
    return mean_and_deviation(averages, metric, digits) + shortfall(averages, metric)


def shortfall(averages: Mapping[str, Any], metric: str) -> str:
    """That a mean is of some of the folds only, with its own cases: ` (3 of 4 folds, 45 slides)`; else empty."""
    defined, n_folds = averages["n_defined"][metric], len(averages["folds"])
    if defined in (0, n_folds):
        return ""
    return f" ({', '.join(filter(None, [f'{defined} of {n_folds} folds', cases_in_words(averages, metric)]))})"
