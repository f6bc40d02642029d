"""Check a call of `main.py` before its anchors are fitted: options, folds and model, as `main.py` will check them.

`python -m script.check_run` with the arguments of `main.py` prints nothing and returns 0, or says in one sentence what
`main.py` would refuse, with exit code 2. Only the anchors themselves need not be there yet.
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("main.py")

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import main as training
from utils.command.settings import RANDOM, RunSettings
from utils.machine.process import exit_code
from utils.pipeline.model_options import takes_anchors

if TYPE_CHECKING:
    from torch import Tensor

    from datasets.folds.splits import Fold

# What the checks of the folds depend on: runs that agree in these share them.
_OF_FOLDS = (
    *("features_dir", "splits_dir", "folds", "task", "n_bins", "unit", "allow_patient_overlap", "on_missing"),
    *("monitor", "stage", "explain_slides", "slides_dir"),
)
_ANY_WIDTH = 8  # the rules of the models are about their own options, not about the width of the features


def main(argv: Sequence[str]) -> int:
    """Check a call of `main.py` and return the exit code: 0 = nothing to refuse, 2 = refused."""

    def work() -> None:
        settings = training.settings_of(training.parse_arguments(argv))
        if isinstance(settings, RunSettings):
            check_runs([settings])
        elif settings.slides_dir is not None:
            from utils.explain.slide_image import require_slide_reader

            require_slide_reader()

    return exit_code(work, "main.py")


def check_runs(runs: Sequence[RunSettings]) -> None:
    """Check everything about runs that does not need their anchors; folds that several runs share are read once.

    Raises:
        UserError: with the first thing that `main.py` would refuse.
    """
    n_outputs: dict[tuple[object, ...], int] = {}
    for settings in runs:
        _check_machine_and_results(settings)
        key = tuple(getattr(settings, name) for name in _OF_FOLDS)
        if key not in n_outputs:
            n_outputs[key] = _checked_folds(settings)[0].n_outputs
        check_model(settings, n_outputs=n_outputs[key])


def check_model(settings: RunSettings, *, n_outputs: int) -> None:
    """Build the model once: what its class alone knows of its options is checked there.

    Args:
        settings: of the run.
        n_outputs: C, the number of classes or time bins.

    Raises:
        UserError: for options that do not go together.
    """
    from utils.anchors.feature_norm import FeatureNorm
    from utils.anchors.fold_anchors import FoldAnchors
    from utils.pipeline.models import architecture, new_model

    n_anchors = settings.n_clusters if takes_anchors(settings.model) else None
    sizes = {"dim_in": _ANY_WIDTH, "n_outputs": n_outputs}
    design = architecture(settings.model, settings.model_options, n_anchors=n_anchors, **sizes)
    # run_clustering.py writes anchors of a data set as a file, and those of slides as a folder.
    of_slides = settings.anchors != RANDOM and not settings.anchors.endswith(".pt")
    anchors = FoldAnchors(FeatureNorm(), read_slide=_not_there_yet if of_slides else None)
    new_model(design, anchors, seed=settings.seed, fold=0)


def _check_machine_and_results(settings: RunSettings) -> None:
    """Check that device and packages are there, and that a run which begins anew finds no results in its place."""
    from utils.machine.device import resolve_device
    from utils.runs.run_claim import permit
    from utils.training.tensorboard_log import require_tensorboard

    if settings.tensorboard:
        require_tensorboard()
    resolve_device(settings.device)
    if settings.stage in ("all", "train") and not (settings.resume or settings.overwrite):
        permit(settings.run_dir, {"folds": []}, stage=settings.stage, resume=False, overwrite=False)


def _checked_folds(settings: RunSettings) -> list[Fold]:
    """The folds with the slides that have features, checked as `main.py` checks them."""
    from datasets.folds.splits import keep_available
    from datasets.slides.feature_index import FeatureIndex
    from datasets.slides.features import find_slides, read_slide
    from utils.anchors.feature_norm import FeatureNorm
    from utils.anchors.fold_anchors import FoldAnchors
    from utils.pipeline.explain_fold import Explanation, check_what_is_explained
    from utils.pipeline.inputs import FoldInputs, read_folds
    from utils.pipeline.places import check_run_places
    from utils.pipeline.validation import check_monitor

    # "random" stands for anchors that are not looked for.
    places = (settings.features_dir, settings.splits_dir, settings.folds, RANDOM)
    check_run_places(*places, slides_dir=settings.slides_dir)
    folds = read_folds(
        settings.splits_dir,
        settings.folds,
        settings.task,
        n_bins=settings.n_bins,
        allow_patient_overlap=settings.allow_patient_overlap,
        unit=settings.unit,
    )
    found = find_slides(settings.features_dir)
    folds = [keep_available(fold, found, settings.on_missing)[0] for fold in folds]
    if settings.stage in ("all", "train"):
        check_monitor(folds, settings.monitor)
    if settings.stage == "explain":
        without = FoldAnchors(FeatureNorm())
        inputs = [FoldInputs(fold, found, {}, _ANY_WIDTH, without, FeatureIndex(), read_slide) for fold in folds]
        check_what_is_explained(Explanation.of(settings, settings.run_dir.name), inputs)
    return folds


def _not_there_yet(slide_id: str) -> Tensor:
    """Stands for anchors of slides that are fitted later; building a model reads none."""
    raise LookupError(f"the anchors of slide {slide_id} are not fitted yet")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
