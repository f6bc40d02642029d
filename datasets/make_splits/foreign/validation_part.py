"""A validation part for folds that have none: some of the training patients, alike in outcome."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datasets.folds.cases import Case
from datasets.make_splits.patient_strata import by_patient
from utils.errors import UserError


def split_off(cases: Sequence[Case], fraction: float, seed: int, fold: int) -> tuple[list[Case], list[Case]]:
    """Return the training cases that stay, and those of the validation part, each in the order of `cases`.

    Whole patients are drawn. They are put in the order of their class, or of event and time, with equal ones at
    random, and of each stretch of 1 / `fraction` patients one is drawn: a systematic sample, whose shares of classes,
    events and times are those of the training part within one patient. Equal seeds give equal parts.

    Raises:
        UserError: with fewer than two patients, which make no two parts.
    """
    patients = by_patient(cases)
    if len(patients) < 2:
        raise UserError(f"the training part has {len(patients)} patient: expected two or more, one for validation")
    random = np.random.default_rng([seed, fold])
    shuffled = random.permutation(list(patients))
    ordered = sorted(shuffled.tolist(), key=lambda name: _outcome(patients[name]))
    n_drawn = min(max(round(fraction * len(ordered)), 1), len(ordered) - 1)
    drawn = {stretch[random.integers(len(stretch))] for stretch in np.array_split(np.array(ordered), n_drawn)}
    return [c for c in cases if c.case_id not in drawn], [c for c in cases if c.case_id in drawn]


def _outcome(cases: Sequence[Case]) -> tuple[float, float]:
    """What the order is by: the most frequent class of a patient (the smallest of equal ones), or status and time."""
    first = cases[0]
    if first.label is None:
        return float(first.censored or 0), first.time or 0.0
    return float(np.bincount([case.label or 0 for case in cases]).argmax()), 0.0
