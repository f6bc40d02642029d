"""Seeded synthetic cohorts with known tissue types, labels, survival times and true risk.

    python -m datasets.synthetic --output_dir demo/synthetic --task surv --n_cases 60

writes

    features/{slide_id}.h5   features (M, D) and coords (M, 2) in level-0 pixels
    splits/fold{k}.csv       by patient, stratified by label or event, each patient in test exactly once
    truth/{slide_id}.pt      tissue type of each patch, int64 (M,)
    truth.csv                case_id, slide_ids, true_risk, then label, or time (months) and censored (1 = censored)
    clinical.csv             case_id, age, sex, stage: the stage knows part of the true risk, age and sex nothing
    truth.json               the settings, and for survival the C-index of the true risk over all cases
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from datasets.folds.cases import Case, Fold
from datasets.folds.splits import write_fold
from datasets.folds.stratified_folds import FoldIndices, stratified_folds
from datasets.folds.survival_bins import assign_bins, bin_edges
from datasets.synthetic.clinical import CLINICAL_COLUMNS, clinical_rows
from datasets.synthetic.outcomes import balanced_labels, draw_labels, draw_survival, standardised
from datasets.synthetic.settings import CohortSettings
from datasets.synthetic.slides import signal_tissues, write_slides
from utils.errors import UserError
from utils.files.atomic import write_json, write_text
from utils.files.csv_table import csv_text
from utils.statistics.survival_stats import concordance

__all__ = ["Cohort", "CohortSettings", "make_cohort"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cohort:
    """Where a cohort was written, and what is true of it.

    Attributes:
        features_dir, splits_dir, truth_dir: folders of the feature files, the folds, and the tissue type of each patch.
        cases: one per patient, with all its slides and its outcome (no time bins: they belong to a fold).
        true_risk: (n_cases,) float64 in the order of `cases`; higher means earlier death, or class 1. It is the log
            hazard (surv), the log odds (cls, proportion), or the planted class; labels are shuffled after it.
        c_index: Harrell's C of the true risk over all cases (surv), else None.
        signal_tissues: the tissue types that the outcome depends on.
    """

    features_dir: Path
    splits_dir: Path
    truth_dir: Path
    cases: tuple[Case, ...]
    true_risk: np.ndarray
    c_index: float | None
    signal_tissues: tuple[int, ...]


def make_cohort(output_dir: Path, settings: CohortSettings) -> Cohort:
    """Write a cohort and return it; slides are made one by one, so memory does not grow with the cohort.

    Making it again with equal settings writes the same again. Raises UserError when `output_dir` holds a cohort of
    other settings, or the cases are too few for the folds or the time bins.
    """
    output_dir = Path(output_dir)
    _claim(output_dir, settings)
    rng = settings.generator(0)
    planted = balanced_labels(settings.n_cases, rng)
    slide_ids, shares = write_slides(output_dir, settings, planted)
    risk = planted.astype(np.float64)
    if settings.signal == "proportion":
        risk = settings.strength * standardised(shares)
    cases = _with_outcomes(slide_ids, risk, planted, settings, rng)
    for k, indices in enumerate(stratified_folds([_stratum(case) for case in cases], settings.n_folds, settings.seed)):
        path = output_dir / "splits" / f"fold{k}.csv"
        write_fold(path, _fold(k, path, cases, indices, settings))
    cohort = Cohort(
        features_dir=output_dir / "features",
        splits_dir=output_dir / "splits",
        truth_dir=output_dir / "truth",
        cases=cases,
        true_risk=risk,
        c_index=_c_index(cases, risk) if settings.task == "surv" else None,
        signal_tissues=signal_tissues(settings),
    )
    _write_truth(output_dir, settings, cohort)
    return cohort


def _with_outcomes(
    slide_ids: list[tuple[str, ...]],
    risk: np.ndarray,
    planted: np.ndarray,
    settings: CohortSettings,
    rng: np.random.Generator,
) -> tuple[Case, ...]:
    """The cases with label, or time and censorship, permuted over cases if the settings say so."""
    case_ids = [f"{settings.prefix}-{index + 1:04d}" for index in range(settings.n_cases)]
    order: np.ndarray = np.arange(settings.n_cases)
    if settings.shuffle_labels:  # by a generator of its own, so that the outcomes are those of the unshuffled cohort
        order = settings.generator(3).permutation(order)
    if settings.task == "cls":
        labels = (draw_labels(risk, rng) if settings.signal == "proportion" else planted)[order]
        rows = zip(case_ids, slide_ids, labels, strict=True)
        return tuple(Case(case_id, slides, label=int(label)) for case_id, slides, label in rows)
    time, censored = (values[order] for values in draw_survival(risk, settings.censored_fraction, rng))
    return tuple(
        Case(case_id, slides, time=float(months), censored=int(flag))
        for case_id, slides, months, flag in zip(case_ids, slide_ids, time, censored, strict=True)
    )


def _stratum(case: Case) -> int:
    """The label, or for survival 1 for an event and 0 for a censored case."""
    return int(case.censored == 0) if case.label is None else case.label


def _fold(k: int, path: Path, cases: tuple[Case, ...], indices: FoldIndices, settings: CohortSettings) -> Fold:
    train, val, test = ([cases[i] for i in part] for part in indices)
    if settings.task == "cls":
        return Fold(k, path, "cls", 2, _slide_cases(train), _slide_cases(val), _slide_cases(test))
    edges = bin_edges([c.time or 0.0 for c in train], [c.censored or 0 for c in train], settings.n_bins)
    return Fold(k, path, "surv", settings.n_bins, _binned(train, edges), _binned(val, edges), _binned(test, edges))


def _slide_cases(cases: Sequence[Case]) -> tuple[Case, ...]:
    return tuple(replace(case, slide_ids=(slide_id,)) for case in cases for slide_id in case.slide_ids)


def _binned(cases: Sequence[Case], edges: np.ndarray) -> tuple[Case, ...]:
    bins = assign_bins([case.time or 0.0 for case in cases], edges)
    return tuple(replace(case, bin=int(index)) for case, index in zip(cases, bins, strict=True))


def _c_index(cases: Sequence[Case], risk: np.ndarray) -> float:
    event = np.array([case.censored == 0 for case in cases])
    return concordance(event, np.array([case.time for case in cases]), risk)


def _claim(output_dir: Path, settings: CohortSettings) -> None:
    """Write the settings into `output_dir`, or refuse it because a cohort of other settings is there."""
    truth = output_dir / "truth.json"
    if truth.is_file():
        try:
            there = json.loads(truth.read_text(encoding="utf-8"))["settings"]
        except (ValueError, LookupError, TypeError) as error:
            raise UserError(f"{truth} is not the record of a synthetic cohort: give an empty --output_dir") from error
        ours = json.loads(json.dumps(asdict(settings)))
        there = {field.name: there.get(field.name, field.default) for field in fields(CohortSettings)}
        different = [name for name in ours if there[name] != ours[name]]
        if different:
            name = different[0]
            raise UserError(
                f"{output_dir} holds a cohort made with {name} {there[name]} where {ours[name]} is asked for: "
                "give an empty --output_dir, or remove that one"
            )
        return
    if (output_dir / "features").exists():
        raise UserError(f"{output_dir} holds features that are no synthetic cohort: give an empty --output_dir")
    write_json(truth, {"settings": asdict(settings), "complete": False})


def _write_truth(output_dir: Path, settings: CohortSettings, cohort: Cohort) -> None:
    outcome = ["label"] if settings.task == "cls" else ["time", "censored"]
    rows = [
        {"case_id": case.case_id, "slide_ids": ";".join(case.slide_ids), "true_risk": float(risk)}
        | {name: getattr(case, name) for name in outcome}
        for case, risk in zip(cohort.cases, cohort.true_risk, strict=True)
    ]
    write_text(output_dir / "truth.csv", csv_text(("case_id", "slide_ids", "true_risk", *outcome), rows))
    columns = ["label"] if settings.task == "cls" else ["survival_months", "censorship"]
    labels = [
        {"case_id": case.case_id, "slide_id": slide_id}
        | {column: getattr(case, name) for column, name in zip(columns, outcome, strict=True)}
        for case in cohort.cases
        for slide_id in case.slide_ids
    ]
    write_text(output_dir / "labels.csv", csv_text(("case_id", "slide_id", *columns), labels))
    clinical = clinical_rows([case.case_id for case in cohort.cases], cohort.true_risk, settings.generator(5))
    write_text(output_dir / "clinical.csv", csv_text(CLINICAL_COLUMNS, clinical))
    record = {
        "settings": asdict(settings),
        "complete": True,
        "n_cases": len(cohort.cases),
        "n_slides": sum(len(case.slide_ids) for case in cohort.cases),
        "signal_tissues": cohort.signal_tissues,
        "c_index_true_risk": cohort.c_index,
    }
    write_json(output_dir / "truth.json", record)
