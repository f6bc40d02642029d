"""Folds by patient: strata, parts and time bins, checked as `read_fold` would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from datasets.folds.cases import PARTS, Case, Fold
from datasets.folds.fold_checks import check_outcomes, check_patients
from datasets.folds.split_report import count_part, outcome_warnings
from datasets.folds.stratified_folds import stratified_folds
from datasets.folds.survival_bins import assign_bins, bin_edges
from datasets.make_splits.label_cases import LabelledCases
from datasets.make_splits.patient_strata import Strata, by_patient, class_strata, survival_strata
from datasets.make_splits.settings import SplitSettings
from datasets.make_splits.site_folds import site_folds, site_of
from utils.errors import UserError
from utils.files.phrases import counted


@dataclass(frozen=True)
class Split:
    """A split and what there is to say of it.

    Attributes:
        folds: every patient is in test exactly once over them.
        edges: the edges of the time bins of each fold, in months (surv; empty for cls).
        labelled: the cases, classes and dropped slides of the label table.
        warnings: of the label table and of the folds, each one sentence.
    """

    folds: tuple[Fold, ...]
    edges: tuple[np.ndarray, ...]
    labelled: LabelledCases
    warnings: tuple[str, ...]

    def counts(self) -> dict[int, dict[str, dict[str, Any]]]:
        """Return {fold: {part: counts}}, see `split_report.count_part`."""
        return {f.index: {p: count_part(f.part(p), self.labelled.classes) for p in PARTS} for f in self.folds}


def split_patients(labelled: LabelledCases, settings: SplitSettings) -> Split:
    """Return the folds that `settings` asks for.

    The time bins (surv) of each fold are the quantiles of the event times of its own training cases.

    Raises UserError when there are too few patients, sites or events, or a case id is no TCGA barcode though sites are
    to be preserved.
    """
    patients = by_patient(labelled.cases)
    if len(patients) == 1:
        n_slides = sum(len(case.slide_ids) for case in labelled.cases)
        raise UserError(
            f"{counted(n_slides, 'slide')} of one patient only, {next(iter(patients))!r}: expected several patients; "
            "name their column with --case_column, or correct --patient_pattern"
        )
    strata = _strata(settings, patients, labelled.classes)
    if settings.site_preserving:
        sites = [site_of(name) for name in patients]
        indices = site_folds(strata.of_patient.tolist(), sites, settings.n_folds, settings.seed)
    else:
        indices = stratified_folds(strata.of_patient.tolist(), settings.n_folds, settings.seed)
    groups = list(patients.values())
    folds, edges, warnings = [], [], [*labelled.warnings, *strata.notes]
    for k, parts in enumerate(indices):
        train, val, test = (tuple(case for i in part for case in groups[i]) for part in parts)
        n_outputs = len(labelled.classes) or settings.n_bins or 0
        fold = Fold(k, settings.output_dir / f"fold{k}.csv", settings.task, n_outputs, train, val, test)
        if settings.task == "surv":
            fold, fold_edges = with_bins(fold)
            edges.append(fold_edges)
        warnings += _check(fold, settings.site_preserving)
        folds.append(fold)
    if settings.task == "surv":
        warnings += outcome_warnings(folds)
    return Split(tuple(folds), tuple(edges), labelled, tuple(warnings))


def _strata(settings: SplitSettings, patients: Mapping[str, Sequence[Case]], classes: Mapping[str, int]) -> Strata:
    if settings.task == "cls":
        return class_strata(patients, classes, settings.n_folds)
    cases = [case for group in patients.values() for case in group]
    return survival_strata(
        [case.time or 0.0 for case in cases], [case.censored == 0 for case in cases], settings.n_folds
    )


def with_bins(fold: Fold) -> tuple[Fold, np.ndarray]:
    """The fold with time bins fitted on its training cases, and their edges."""
    try:
        edges = bin_edges([c.time or 0.0 for c in fold.train], [c.censored or 0 for c in fold.train], fold.n_outputs)
    except UserError as error:
        raise UserError(f"{fold.path.name} cannot have time bins: {error}") from error
    parts = []
    for part in PARTS:
        bins = assign_bins([case.time or 0.0 for case in fold.part(part)], edges)
        parts.append(tuple(replace(c, bin=int(b)) for c, b in zip(fold.part(part), bins, strict=True)))
    return replace(fold, train=parts[0], val=parts[1], test=parts[2]), edges


def _check(fold: Fold, site_preserving: bool) -> tuple[str, ...]:
    """What `read_fold` would refuse, before anything is written; returns warnings."""
    try:
        return (*check_outcomes(fold), *check_patients(fold, allow_overlap=False))
    except UserError as error:
        remedy = "use another --n_folds" + (", or leave out --site_preserving" if site_preserving else "")
        raise UserError(f"the table cannot be split like this ({error}): {remedy}") from error
