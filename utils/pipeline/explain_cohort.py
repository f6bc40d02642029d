"""`--stage explain` of another cohort: the cases that a trained run has predicted there, fold by fold."""

from __future__ import annotations

import logging
from pathlib import Path

from datasets.bags import BagDataset
from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import check_widths, find_slides
from utils.errors import UserError
from utils.explain.slide_image import require_slide_reader
from utils.files.locks import locked
from utils.machine.device import resolve_device
from utils.pipeline.cohort_checks import check_same_anchors, check_same_features, check_same_models
from utils.pipeline.cohort_logits import groups_of_folds, precision_of
from utils.pipeline.ensemble import Ensemble, load_ensemble
from utils.pipeline.explain_fold import Explanation, PredictedCases, explain_cases, plain_ids
from utils.pipeline.needed_coords import check_coords
from utils.pipeline.predict_settings import PredictSettings
from utils.pipeline.threads import compute_in_threads_for, patches_of
from utils.pipeline.train_fold import Computation
from utils.pipeline.trained_on import cases_of_table
from utils.report.validation_page import write_validation_report
from utils.runs.class_words import ClassWords
from utils.runs.predict_dir import ADVICE, fold_predictions, read_record
from utils.runs.predictions import read_predictions
from utils.runs.run_dir import fold_dir

logger = logging.getLogger("main")


def explain_cohort(settings: PredictSettings) -> None:
    """Explain cases of a predicted cohort by each fold, in `RUN_DIR/predict/NAME/fold{k}/explain`, and in its report.

    Raises:
        UserError: for a cohort that was not predicted by these folds, slides that are not among its own, or features or
            images that cannot be read.
    """
    if settings.slides_dir is not None:
        require_slide_reader()
    if not settings.folder.is_dir():
        raise UserError(f"{settings.folder} does not exist: predict the cohort first, with --stage predict")
    predicted = read_record(settings.folder)["folds"]
    ensemble = load_ensemble(settings.run_dir, settings.folds or predicted)
    check_same_models(settings.folder, ensemble, all_of_them=False)
    files = fold_predictions(settings.folder)
    lacking = [k for k in predicted if k not in files]
    if lacking:
        raise UserError(f"{settings.folder} lacks predictions_fold{lacking[0]}.csv: {ADVICE}")
    device = resolve_device(settings.device)
    computation = Computation(device, precision_of(settings, ensemble, device), settings.num_workers)
    paths = find_slides(settings.features_dir)
    explanation = Explanation.of(settings, f"{settings.cohort}: {settings.run_dir.name}")
    tables = {k: read_predictions(files[k], may_lack_outcomes=True) for k in predicted}
    cases = cases_of_table(tables[ensemble.folds[0].index])  # the same of all folds
    slide_ids = [slide_id for case in cases for slide_id in case.slide_ids]
    index = FeatureIndex(settings.verify)
    _check_slides(settings, slide_ids, paths, ensemble, index)
    groups = groups_of_folds(settings, ensemble, slide_ids)
    run = ensemble.record.get("settings") or {}
    patches = patches_of({slide_id: paths[slide_id] for slide_id in slide_ids}, index)
    recorded = read_record(settings.folder).get("threads")
    compute_in_threads_for(cases, patches, run, given=settings.threads, recorded=recorded, device=device)
    check_same_anchors(settings.folder, groups)
    with locked(settings.folder):
        for group in groups:
            for fold in group.folds:
                explained = PredictedCases(
                    name=f"fold {fold.index}",
                    model=fold.model,
                    cases=BagDataset(cases, paths, read_anchors=group.anchors, read=index.read),
                    predictions=tables[fold.index],
                    has_slide_anchors=ensemble.has_slide_anchors,
                    words=ClassWords.of(ensemble.record, ensemble.n_outputs),
                    folder=fold_dir(settings.folder, fold.index) / "explain",
                )
                explain_cases(explained, explanation, computation)
        index.save()
        if (settings.folder / "summary.json").exists() and not settings.no_figures:
            logger.info("wrote %s", write_validation_report(settings.folder))


def _check_slides(
    settings: PredictSettings, slide_ids: list[str], paths: dict[str, Path], ensemble: Ensemble, index: FeatureIndex
) -> None:
    """Every predicted slide has features of the right width, and every slide to explain was predicted."""
    missing = [slide_id for slide_id in slide_ids if slide_id not in paths]
    if missing:
        raise UserError(
            f"{len(missing)} predicted slides have no feature file in --features_dir ({', '.join(missing[:3])}): give "
            "the features that were predicted"
        )
    unknown = [slide_id for slide_id in plain_ids(settings.explain_slides) or () if slide_id not in slide_ids]
    if unknown:
        raise UserError(
            f"got --explain_slides {unknown[0]}, expected slides of the cohort {settings.cohort} ({len(slide_ids)} "
            "predicted slides)"
        )
    own = {slide_id: paths[slide_id] for slide_id in slide_ids}
    slides = index.look_at_all(own)
    check_widths({own[slide_id]: slide.width for slide_id, slide in slides.items()}, ensemble.dim_in)
    check_coords((fold.model for fold in ensemble.folds), own, index)
    check_same_features(settings.folder, {slide_id: slide.fingerprint for slide_id, slide in slides.items()})
