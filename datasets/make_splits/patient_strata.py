"""The stratum of each patient: what train, validation and test should hold alike shares of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from datasets.folds.cases import Case
from datasets.folds.stratified_folds import fewest_items
from utils.errors import UserError
from utils.files.phrases import agreeing, counted

_N_QUANTILES = 4


class Strata(NamedTuple):
    """Attributes: of_patient, (n_patients,) int64 from 0 on; notes, what a user should know, each one sentence."""

    of_patient: np.ndarray
    notes: tuple[str, ...] = ()


def by_patient(cases: Sequence[Case]) -> dict[str, tuple[Case, ...]]:
    """Return the cases of each patient, sorted by patient; one each in survival, one per slide in classification."""
    patients: dict[str, list[Case]] = {}
    for case in cases:
        patients.setdefault(case.case_id, []).append(case)
    return {name: tuple(patients[name]) for name in sorted(patients)}


def class_strata(patients: Mapping[str, Sequence[Case]], classes: Mapping[str, int], n_folds: int) -> Strata:
    """Return the class of each patient: that of most of its slides, the smallest number on a tie.

    Raises UserError when a class has too few patients for train, validation and test of each fold.
    """
    counts = np.array([np.bincount(_labels(cases), minlength=len(classes)) for cases in patients.values()])
    index = counts.argmax(axis=1)  # the first of equal counts
    for name, number in classes.items():
        n_patients = int((index == number).sum())
        if n_patients < fewest_items(n_folds):
            raise UserError(
                f"class {name!r} has {n_patients} of {counted(len(index), 'patient')} (each counts with the class of "
                f"most of its slides), too few for {n_folds} folds of train, validation and test: use fewer folds "
                "(--n_folds) or more patients"
            )
    n_mixed = int(((counts > 0).sum(axis=1) > 1).sum())
    if not n_mixed:
        return Strata(index)
    note = f"patients with slides of two classes or more: {n_mixed}, stratified by the class of most of their slides"
    return Strata(index, (note,))


def survival_strata(time: ArrayLike, event: ArrayLike, n_folds: int) -> Strata:
    """Return the stratum of each patient: event or censored, and the quartile of its time among those of that status.

    `time` (months) and `event` (1 = death observed) are those of the whole cohort, (n_patients,). A time equal to a
    quartile belongs above it. This serves to make the parts alike and reaches no model: the bins that a model learns
    are those of each fold's training cases. Where a quartile holds fewer than 2 n_folds patients the quartiles of that
    status are merged to halves, then to one stratum; censored patients too few even for that join the deaths near
    them in time. A note says so.

    Raises UserError when there are too few events for train, validation and test of each fold.
    """
    times, died = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    n_events, n_censored, fewest = int(died.sum()), int((~died).sum()), fewest_items(n_folds)
    if n_events < fewest:
        raise UserError(
            f"{n_events} of {counted(len(died), 'patient')} {agreeing(n_events, 'has', 'have')} an event, too few for "
            f"{n_folds} folds of train, validation and test: use fewer folds (--n_folds) or more patients, or did you "
            "pass censorship as event?"
        )
    cuts = _time_cuts(times[died], n_folds)
    strata = np.searchsorted(cuts, times, side="right")  # right for the deaths
    notes = [_merged("with an event", strata[died], n_folds)]
    if n_censored >= fewest:
        cuts = _time_cuts(times[~died], n_folds)
        strata[~died] = _N_QUANTILES + np.searchsorted(cuts, times[~died], side="right")
        notes.append(_merged("censored", strata[~died], n_folds))
    elif n_censored:
        notes.append(
            f"{counted(n_censored, 'censored patient')} {agreeing(n_censored, 'is', 'are')} too few for {n_folds} "
            "folds: stratified by time alone"
        )
    return Strata(np.unique(strata, return_inverse=True)[1], tuple(note for note in notes if note))


def _labels(cases: Sequence[Case]) -> list[int]:
    return [case.label for case in cases if case.label is not None]


def _time_cuts(times: np.ndarray, n_folds: int) -> np.ndarray:
    """The quartiles that cut the times into large enough groups; the median; or nothing."""
    for n_quantiles in (_N_QUANTILES, 2):
        cuts = np.unique(np.quantile(times, np.arange(1, n_quantiles) / n_quantiles))
        sizes = np.bincount(np.searchsorted(cuts, times, side="right"))
        if sizes[sizes > 0].min() >= 2 * n_folds:
            return cuts
    return np.empty(0)


def _merged(which: str, strata: np.ndarray, n_folds: int) -> str:
    """What to say about the strata of one status when they are not its quartiles, or nothing."""
    n_strata = len(np.unique(strata))
    if n_strata == _N_QUANTILES:
        return ""
    how = "by status alone" if n_strata == 1 else f"into {n_strata} groups of time"
    return f"the {len(strata)} patients {which} have too small or tied quartiles for {n_folds} folds: stratified {how}"
