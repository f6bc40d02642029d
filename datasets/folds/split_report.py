"""What is in each part of a split: patients, slides, and classes or events and follow-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sksurv.nonparametric import kaplan_meier_estimator

from datasets.folds.cases import PARTS, Case, Fold
from utils.files.phrases import agreeing, counted

_RARE = 0.05


def median_follow_up(time: ArrayLike, censored: ArrayLike) -> float | None:
    """Return the median follow-up in months by the reverse Kaplan-Meier method, or None where it is not reached.

    The end of observation is what is waited for, and a death ends the wait early: with c_i censored and n_i under
    observation at t_i, `G(t) = prod_{t_i <= t} (1 - c_i / n_i)`, where deaths at t_i come first and are no longer
    among n_i; the median is the first t with G(t) <= 0.5. `time` (months) and `censored` (1 = censored) are (n,).

    Schemper and Smith: A note on quantifying follow-up in studies of failure time. Controlled Clinical Trials 17,
    343-346, 1996. Computed by `sksurv.nonparametric.kaplan_meier_estimator(reverse=True)`.

    >>> median_follow_up([1, 2, 3, 4], [1, 0, 1, 1])
    3.0
    """
    died = np.asarray(censored) == 0
    steps, observed = kaplan_meier_estimator(died, np.asarray(time, dtype=np.float64), reverse=True)
    reached = np.flatnonzero(observed <= 0.5 + 1e-12)  # a product of fractions may miss one half by a rounding
    return float(steps[reached[0]]) if reached.size else None


def count_part(cases: Sequence[Case], classes: Mapping[str, int]) -> dict[str, Any]:
    """Return what a part holds: `cases` (patients), `slides`, then by task.

    Classification (`classes` is class -> number): `slides_per_class` {class: slides}. Survival (`classes` is empty):
    `events`, `median_follow_up_months` (None: not reached).
    """
    counts: dict[str, Any] = {
        "cases": len({case.case_id for case in cases}),
        "slides": sum(len(case.slide_ids) for case in cases),
    }
    if classes:
        labels = [case.label for case in cases for _ in case.slide_ids]
        return counts | {"slides_per_class": {name: labels.count(number) for name, number in classes.items()}}
    censored = [case.censored or 0 for case in cases]
    follow_up = median_follow_up([case.time or 0.0 for case in cases], censored)
    return counts | {"events": censored.count(0), "median_follow_up_months": follow_up}


def format_counts(counts: Mapping[int, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return a table with a line per fold and part, from {fold: {part: what count_part returns}}.

    >>> part = {"cases": 2, "slides": 3, "events": 1, "median_follow_up_months": None}
    >>> print(format_counts({0: {"train": part}}))  # noqa: T201
    fold  part   cases  slides  events  median follow-up (months)
       0  train      2       3       1                not reached
    """
    lines = []
    for fold, parts in counts.items():
        for part, count in parts.items():
            lines.append({"fold": str(fold), "part": part, **_cells(count)})
    widths = {name: max(len(name), *(len(line[name]) for line in lines)) for name in lines[0]}
    rows = [{name: name for name in widths}, *lines]
    return "\n".join("  ".join(_aligned(name, row[name], width) for name, width in widths.items()) for row in rows)


def outcome_warnings(folds: Sequence[Fold]) -> tuple[str, ...]:
    """Return what looks wrong with the events of a survival split: a status turned round, a part without events."""
    cases = [case for part in PARTS for case in folds[0].part(part)]
    n_events = sum(case.censored == 0 for case in cases)
    found = []
    if not _RARE <= n_events / len(cases) <= 1 - _RARE:
        found.append(
            f"{n_events} of {counted(len(cases), 'case')} ({n_events / len(cases):.1%}) "
            f"{agreeing(n_events, 'has', 'have')} an event: did you pass censorship as event? --event_column is 1 for "
            "a death, --censor_column is 1 for a censored case"
        )
    for fold in folds:
        empty = [part for part in PARTS if all(case.censored == 1 for case in fold.part(part))]
        if empty:
            found.append(f"{fold.path.name} has no event in {' and '.join(empty)}: its C-index will be undefined there")
    return tuple(found)


def _cells(count: Mapping[str, Any]) -> dict[str, str]:
    cells = {name: str(count[name]) for name in ("cases", "slides")}
    if "slides_per_class" in count:
        return cells | {f"slides of {name}": str(n) for name, n in count["slides_per_class"].items()}
    months = count["median_follow_up_months"]
    follow_up = "not reached" if months is None else f"{months:.1f}"
    return cells | {"events": str(count["events"]), "median follow-up (months)": follow_up}


def _aligned(name: str, cell: str, width: int) -> str:
    return cell.ljust(width) if name == "part" else cell.rjust(width)
