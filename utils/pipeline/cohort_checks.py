"""What must hold before a trained run is applied to a cohort, or goes on with it: scale, patients, the same models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datasets.folds.cases import Case
from datasets.folds.fold_checks import first_ids
from utils.errors import UserError
from utils.pipeline.ensemble import Ensemble
from utils.pipeline.feature_facts import check_same_scale, facts_of
from utils.pipeline.trained_on import trained_on
from utils.runs.predict_dir import read_record


def check_same_models(folder: Path, ensemble: Ensemble) -> None:
    """Check that a cohort was predicted by these models.

    Raises:
        UserError: for predictions of other folds, or of folds that were trained again since.
    """
    models = read_record(folder).get("models") or {}
    for fold in ensemble.folds:
        if models.get(f"fold{fold.index}") != fold.digest():
            raise UserError(
                f"fold {fold.index} of {ensemble.source} is not the model that predicted {folder}, as it was trained "
                "again or not used: predict the cohort again with --overwrite"
            )


def scale_warnings(ensemble: Ensemble, paths: Sequence[Path]) -> list[str]:
    """What is to be said of the scale of the features of these files.

    Raises:
        UserError: for features on another scale than those of the training.
    """
    if ensemble.facts is None:
        return ["the run does not say on which scale its features were, so that those of the cohort are not compared"]
    check_same_scale(facts_of(paths), ensemble.facts)
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
            warnings.append(
                f"fold {fold.index} chose its epoch by {len(chosen)} patients of the cohort ({first_ids(chosen)})"
            )
    if refused:
        message = f"patients of the cohort were in training: {'; '.join(refused)}"
        if not allow_overlap:
            raise UserError(
                f"{message}; predict others, give the --folds that did not see them, or pass --allow_patient_overlap "
                "to report inflated results"
            )
        warnings.insert(0, message)
    return warnings
