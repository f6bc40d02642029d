"""The model's C-index or AUC within groups of patients, and within those of each hospital."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from datasets.folds.cases import patient_of
from datasets.make_splits.site_folds import site_of
from utils.clinical.column_values import ColumnValues
from utils.clinical.predicted_cases import PredictedCases
from utils.errors import UserError
from utils.files.phrases import counted
from utils.statistics.fold_pairs import concordance_within_folds
from utils.statistics.survival_stats import UndefinedMetricError

FEWEST_CASES, FEWEST_EVENTS = 10, 3  # of a group that is evaluated
FEWEST_SITES = 2


def subgroup_rows(cases: PredictedCases, columns: Mapping[str, ColumnValues]) -> list[dict[str, Any]]:
    """The metric within each group of each column, as JSON values (see `_measured`); all cases first.

    Numbers are divided at the median of the cases that have one: `age up to 61` and `age above 61`.

    Args:
        cases: n cases, with or without values of the covariates.
        columns: {name: values of the n cases}.
    """
    everyone = np.ones(len(cases.case_id), dtype=bool)
    rows = [_measured(cases, everyone, "all cases", "")]
    for name, column in columns.items():
        rows += [_measured(cases, members, name, level) for level, members in _groups(column.values)]
    return rows


def site_rows(cases: PredictedCases) -> tuple[list[dict[str, Any]], str]:
    """The metric within each TCGA tissue source site of 10 cases or more, and a sentence about the others.

    Both are empty where the ids are no barcodes, or fewer than two sites have 10 cases.
    """
    try:
        sites = np.array([site_of(patient_of(case_id)) for case_id in cases.case_id])
    except UserError:  # of another source
        return [], ""
    counts = Counter(sites.tolist())
    large = sorted(site for site, number in counts.items() if number >= FEWEST_CASES)
    if len(large) < FEWEST_SITES:
        return [], ""
    n_small = len(counts) - len(large)
    in_small = sum(counts.values()) - sum(counts[site] for site in large)
    left = (
        f"Not shown: {counted(n_small, 'site')} of fewer than {FEWEST_CASES} cases each, {in_small} in all."
        if n_small
        else ""
    )
    return [_measured(cases, sites == site, "site", site) for site in large], left


def _groups(values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The groups of a column: name, and (n,) who is in it."""
    if values.dtype == object:
        for level in sorted(set(values) - {""}):
            yield str(level), values == level
        return
    median = float(np.nanmedian(values))
    if (values > median).any():
        yield f"up to {median:g}", values <= median
        yield f"above {median:g}", values > median
    else:  # more than half of the cases have the highest value
        yield f"below {median:g}", values < median
        yield f"from {median:g} on", values >= median


def _measured(cases: PredictedCases, members: np.ndarray, column: str, level: str) -> dict[str, Any]:
    """`column`, `level`, `n`, `events`, and `value`, `low`, `high` of the metric, null with a `reason`."""
    own = cases.only(members)
    n_cases, n_events = len(own.case_id), int(own.outcome.sum())
    row: dict[str, Any] = {"column": column, "level": level, "n": n_cases, "events": n_events}
    row |= {"value": None, "low": None, "high": None, "reason": None}
    fewest = n_events if cases.is_survival else min(n_events, n_cases - n_events)
    if n_cases < FEWEST_CASES or fewest < FEWEST_EVENTS:
        what = "deaths" if cases.is_survival else "cases of each class"
        return row | {"reason": f"too few: fewer than {FEWEST_CASES} cases or {FEWEST_EVENTS} {what}"}
    try:
        return row | asdict(concordance_within_folds(*own.event_and_time, own.fold, own.score))
    except UndefinedMetricError as error:
        return row | {"reason": str(error)}
