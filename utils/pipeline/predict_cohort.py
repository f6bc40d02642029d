"""`--stage predict`: the folds of a trained run, and their ensemble, on the cases of another cohort."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd

from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import check_widths, find_slides
from utils.errors import UserError, advice, said
from utils.files.locks import locked
from utils.files.phrases import counted
from utils.files.provenance import digest_of, git_commit, package_versions
from utils.machine.device import resolve_device
from utils.pipeline.cohort import Cohort, read_cohort
from utils.pipeline.cohort_checks import (
    anchors_of,
    check_same_anchors,
    check_same_features,
    check_same_models,
    overlap_warnings,
    scale_warnings,
)
from utils.pipeline.cohort_logits import FoldGroup, cohort_logits, groups_of_folds
from utils.pipeline.cohort_tables import predicted_tables, relabelled_tables, write_tables
from utils.pipeline.ensemble import Ensemble, load_ensemble, mean_edges
from utils.pipeline.needed_coords import check_coords
from utils.pipeline.predict_settings import PredictSettings
from utils.pipeline.threads import compute_in_threads_for, patches_of
from utils.runs.predict_dir import (
    PARTIAL,
    holds_predictions,
    is_cohort,
    read_record,
    remove_cohort,
    remove_evaluation,
    write_record,
)
from utils.runs.run_record import unit_of
from utils.statistics.cut_off import ensemble_cut_off
from utils.statistics.ensemble import ensemble_table
from utils.statistics.thresholds import ensemble_threshold
from utils.tables.constant_predictions import unlabelled_warnings
from utils.tables.validation import write_validation
from utils.tables.validation_text import format_validation

logger = logging.getLogger("main")

# What of the record of a run its predictions of another cohort keep.
OF_RUN = ("task", "dataset", "model", "formulation", "run_name", "seed", "dim_in", "n_outputs", "class_names", "git")


def predict_cohort(settings: PredictSettings) -> Path:
    """Predict a cohort by each fold and by their ensemble, and evaluate what has outcomes; returns the folder.

    Each slide is read once for all folds, in batches as in testing, so that memory does not grow with the cohort. With
    `resume`, whole predictions are kept, and only take up the outcomes of a label table.

    Raises:
        UserError: for a run, features or labels that cannot be read or do not go together, patients that a fold was
            trained on, or a folder that holds predictions already.
    """
    _check_free(settings)
    settings = _with_pattern_of_before(settings)
    ensemble = load_ensemble(settings.run_dir, settings.folds)
    with locked(settings.folder):
        _predict(settings, ensemble)
    return settings.folder


def _predict(settings: PredictSettings, ensemble: Ensemble) -> None:
    """Predict and evaluate the cohort whose folder this process holds."""
    _check_free(settings)
    is_predicted = settings.resume and is_cohort(settings.folder)
    if is_predicted:
        check_same_models(settings.folder, ensemble)
    checked = _checked(settings, ensemble)
    if is_predicted:
        check_same_features(settings.folder, checked.prints)
        check_same_anchors(settings.folder, checked.groups)
        if settings.labels is None:
            logger.info(
                "%s is predicted already; --labels evaluates it, --overwrite predicts it again", settings.folder
            )
            return
    threads = compute_in_threads_for(
        checked.cohort.cases,
        patches_of(checked.paths, checked.index),
        ensemble.record.get("settings") or {},
        given=settings.threads,
        recorded=read_record(settings.folder).get("threads") if is_predicted else None,
        device=resolve_device(settings.device),
    )
    record = {**_record(settings, ensemble, checked), "threads": threads}
    _claim(settings)
    for line in (*checked.cohort.notes, *(f"warning: {text}" for text in checked.warnings)):
        logger.info("%s", line)
    _write(settings, ensemble, checked, record, is_predicted=is_predicted)
    if checked.cohort.n_known:
        _evaluate(settings.folder, with_figures=not settings.no_figures)


@dataclass(frozen=True)
class _Checked:
    """A cohort that may be predicted.

    Attributes:
        cohort: its cases.
        unit: what one prediction is about.
        paths: the feature file of each slide.
        prints: the fingerprint of each slide's features.
        index: of the feature files.
        groups: the folds, with the anchors of the slides.
        warnings: what a reader of the results should know.
    """

    cohort: Cohort
    unit: str
    paths: Mapping[str, Path]
    prints: Mapping[str, str]
    index: FeatureIndex
    groups: Sequence[FoldGroup]
    warnings: Sequence[str]


def _checked(settings: PredictSettings, ensemble: Ensemble) -> _Checked:
    found, unit = find_slides(settings.features_dir), unit_of(ensemble.record)
    cohort = read_cohort(settings, ensemble.task, unit, list(found), ensemble.class_names)
    paths = {slide_id: found[slide_id] for slide_id in cohort.slide_ids}
    index = FeatureIndex(settings.verify)
    slides = index.look_at_all(paths)
    check_widths({paths[slide_id]: slide.width for slide_id, slide in slides.items()}, ensemble.dim_in)
    check_coords((fold.model for fold in ensemble.folds), paths, index)
    warnings = [
        *cohort.warnings,
        *scale_warnings(ensemble, list(paths.values()), index),
        *overlap_warnings(ensemble, cohort.cases, allow_overlap=settings.allow_patient_overlap),
    ]
    prints = {slide_id: slide.fingerprint for slide_id, slide in slides.items()}
    return _Checked(cohort, unit, paths, prints, index, groups_of_folds(settings, ensemble, paths), warnings)


def _write(
    settings: PredictSettings, ensemble: Ensemble, checked: _Checked, record: Mapping[str, Any], *, is_predicted: bool
) -> None:
    """Write the predictions and their record; what was made from the outcomes of before is removed."""
    folder, cases = settings.folder, checked.cohort.cases
    if is_predicted:
        tables = relabelled_tables(ensemble, cases, folder)
    else:
        groups, paths, prints = checked.groups, checked.paths, checked.prints
        logits = cohort_logits(settings, ensemble, groups, cases, paths, prints, checked.index)
        tables = predicted_tables(ensemble, cases, logits)
    remove_evaluation(folder)
    write_tables(ensemble, cases, tables, folder)
    doubts = [] if checked.cohort.n_known else list(_doubts(tables))  # of those with outcomes the tables tell more
    for doubt in doubts:
        logger.warning("warning: %s", doubt)
    write_record(folder, {**record, "warnings": [*doubts, *record["warnings"]]})
    (folder / PARTIAL).unlink(missing_ok=True)
    what = "took up the labels of" if is_predicted else "predicted"
    logger.info("%s %s of %s in %s", what, counted(len(cases), checked.unit), settings.cohort, folder)
    if ensemble.is_exported:
        logger.info("%s names patients: leave predict/ out where the model is passed on", folder)


def _doubts(tables: Mapping[int, pd.DataFrame]) -> Iterator[str]:
    """Of predictions {fold: table} without outcomes: those of a fold, or of all together, that tell no case apart."""
    together = ensemble_table(tables).drop(columns="prediction_name", errors="ignore")  # which is that of a fold
    return unlabelled_warnings({"the ensemble": together, **{f"fold {k}": table for k, table in tables.items()}})


def _check_free(settings: PredictSettings) -> None:
    """Predictions that are there are replaced or continued only where the settings say so."""
    if settings.overwrite or settings.resume or not holds_predictions(settings.folder):
        return
    if is_cohort(settings.folder):
        raise UserError(
            f"{settings.folder} already holds predictions: pass --overwrite to replace them, --resume to evaluate them "
            "by --labels, or another --cohort"
        )
    raise UserError(
        f"{settings.folder} holds an unfinished prediction: pass --resume to go on with it, --overwrite to begin "
        "again, or another --cohort"
    )


def _with_pattern_of_before(settings: PredictSettings) -> PredictSettings:
    """The settings, with the patient pattern of the predictions that are gone on with, unless others name patients."""
    if not (settings.resume and is_cohort(settings.folder)) or settings.patient_pattern or settings.case_column:
        return settings
    pattern = read_record(settings.folder).get("patient_pattern")
    if pattern:
        logger.info("--patient_pattern '%s', as when the cohort was predicted", pattern)
    return replace(settings, patient_pattern=pattern or None)


def _claim(settings: PredictSettings) -> None:
    """Make the folder ready.

    Raises:
        UserError: for a folder that cannot be written.
    """
    folder = settings.folder
    try:
        if settings.overwrite:
            remove_cohort(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({said(error)}): {advice(error)}") from error


def _record(settings: PredictSettings, ensemble: Ensemble, checked: _Checked) -> dict[str, Any]:
    """The content of `predict.json`."""
    cohort = checked.cohort
    cut_offs = {fold.index: fold.cut_off for fold in ensemble.folds if fold.cut_off is not None}
    edges = {f"fold{fold.index}": fold.inner_edges for fold in ensemble.folds}
    mean = mean_edges(ensemble.folds)
    return {
        "cohort": settings.cohort,
        "task": ensemble.task,
        "unit": checked.unit,
        "run": {
            **{name: ensemble.record.get(name) for name in OF_RUN},
            "ablate": (ensemble.record.get("settings") or {}).get("ablate") or [],
        },
        "folds": [fold.index for fold in ensemble.folds],
        "models": {f"fold{fold.index}": fold.digest() for fold in ensemble.folds},
        "n_cases": len(cohort.cases),
        "n_known": cohort.n_known,
        "n_slides": len(checked.prints),
        "features": digest_of(checked.prints),
        "slide_anchors": anchors_of(checked.groups),
        "patient_pattern": settings.patient_pattern,
        "labels": None if settings.labels is None else {"file": settings.labels.name, **cohort.table},
        "cut_offs": {**{f"fold{k}": value for k, value in cut_offs.items()}, "ensemble": ensemble_cut_off(cut_offs)}
        if cut_offs
        else None,
        "thresholds": _thresholds(ensemble),
        "inner_edges": {**edges, "ensemble": None if mean is None else mean.tolist()} if cut_offs else None,
        "notes": list(cohort.notes),
        "warnings": list(checked.warnings),
        "versions": package_versions(),
        "git": git_commit(),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _thresholds(ensemble: Ensemble) -> dict[str, float] | None:
    """{`fold0`, ... and `ensemble`: its threshold}, without folds that have none; None without any."""
    of_folds = {fold.index: fold.threshold for fold in ensemble.folds if fold.threshold is not None}
    if not of_folds:
        return None
    return {**{f"fold{k}": value for k, value in of_folds.items()}, "ensemble": ensemble_threshold(of_folds)}


def _evaluate(folder: Path, *, with_figures: bool) -> None:
    """Metrics, summary, figures and report of a cohort with outcomes, from its prediction files."""
    summary = write_validation(folder)
    logger.info("\n%s", format_validation(summary))
    if with_figures:
        from utils.figures.validation_figures import write_validation_figures  # matplotlib: only where it draws
        from utils.report.validation_page import write_validation_report

        for path in (*write_validation_figures(folder), write_validation_report(folder, summary)):
            logger.info("wrote %s", path)
