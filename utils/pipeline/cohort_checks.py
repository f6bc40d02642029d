"""What must hold before a trained run is applied to a cohort, or goes on with it: scale, patients, the same models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets.folds.cases import Case
from datasets.folds.fold_checks import first_ids
from datasets.slides.feature_index import FeatureIndex
from utils.errors import UserError
from utils.files.phrases import numbered
from utils.files.provenance import digest_of
from utils.pipeline.cohort_logits import FoldGroup
from utils.pipeline.ensemble import Ensemble
from utils.pipeline.feature_facts import check_same_scale, facts_of
from utils.pipeline.trained_on import trained_on
from utils.runs.predict_dir import read_record


def check_same_models(folder: Path, ensemble: Ensemble, *, all_of_them: bool = True) -> None:
    """Check that a cohort was predicted by these models, and with `all_of_them` by no others.

    Raises:
        UserError: for predictions of other folds, or of folds that were trained again since.
    """
    record, asked = read_record(folder), [fold.index for fold in ensemble.folds]
    if not set(asked) <= set(record["folds"]) or (all_of_them and set(asked) != set(record["folds"])):
        raise UserError(
            f"{folder} holds predictions of {numbered('fold', sorted(record['folds']))}, and --folds asks for "
            f"{numbered('fold', sorted(asked))}: give the same, or predict the cohort again with --overwrite"
        )
    models = record.get("models") or {}
    for fold in ensemble.folds:
        if models.get(f"fold{fold.index}") != fold.digest():
            raise UserError(
                f"fold {fold.index} of {ensemble.source} was trained again since it predicted {folder}: predict the "
                "cohort again with --overwrite"
            )


def check_same_features(folder: Path, prints: Mapping[str, str]) -> None:
    """Check that the slides and their features are those that were predicted.

    Raises:
        UserError: for other slides, or the same slides with other features.
    """
    if read_record(folder).get("features") != digest_of(prints):
        raise UserError(
            f"the slides or features of --features_dir are not those that were predicted in {folder}: give these, or "
            "predict the cohort again with --overwrite"
        )


def check_same_anchors(folder: Path, groups: Sequence[FoldGroup]) -> None:
    """Check that the anchors of the slides are those with which they were predicted.

    Raises:
        UserError: for other anchors.
    """
    if read_record(folder).get("slide_anchors") != anchors_of(groups):
        raise UserError(
            f"the anchors of the slides are not those with which {folder} was predicted: give these as --anchors, or "
            "predict the cohort again with --overwrite"
        )


def anchors_of(groups: Sequence[FoldGroup]) -> dict[str, str]:
    """{fold: digest of the slide anchors}, as `predict.json` has it; empty for a run without any."""
    return {f"fold{fold.index}": group.digest for group in groups for fold in group.folds if group.digest}


def scale_warnings(ensemble: Ensemble, paths: Sequence[Path], index: FeatureIndex) -> list[str]:
    """What is to be said of the scale of the features of these files, whose index this is.

    Raises:
        UserError: for features on another scale than those of the training.
    """
    if ensemble.facts is None:
        return ["the run does not say on which scale its features were, so that those of the cohort are not compared"]
    check_same_scale(facts_of(paths, index), ensemble.facts)
    return []


def overlap_warnings(ensemble: Ensemble, cases: Sequence[Case], *, allow_overlap: bool) -> list[str]:
    """Nobody may be among those that a used fold was trained on; among those that chose its epoch is worth a warning.

    Raises:
        UserError: for patients or slides of training cases, unless they are accepted (`allow_overlap`).
    """
    warnings, refused = [], []
    for fold in ensemble.folds:
        shared = trained_on(cases, fold.trained_on)
        if shared:
            refused.append(f"{len(shared)} by fold {fold.index} ({first_ids(shared)})")
        chosen = [case_id for case_id in trained_on(cases, fold.chosen_on) if case_id not in shared]
        if chosen:
            warnings.append(f"fold {fold.index} chose its epoch by {len(chosen)} of the cohort ({first_ids(chosen)})")
    if refused:
        message = f"patients or slides of the cohort were in training: {'; '.join(refused)}"
        if not allow_overlap:
            raise UserError(
                f"{message}; predict others, give the --folds that did not see them, or pass --allow_patient_overlap "
                "to report inflated results"
            )
        warnings.insert(0, message)
    return warnings
