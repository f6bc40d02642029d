"""`--stage explain` of one fold: its chosen test cases, and its anchors by all of its test cases."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from datasets.bags import Batch
from datasets.batches import EvaluationBatches
from datasets.slides.patch_geometry import patch_geometry
from models.bag_model import BagModel
from models.inspection.nearest_anchor import NearestAnchors, nearest_anchors
from models.inspection.reducer_mixing import observe_mixing
from models.mico import MiCo
from models.output import BagOutput
from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.explain.anchor_colours import similar_colours
from utils.explain.anchor_explanation import write_anchor_explanation
from utils.explain.anchor_shares import AnchorShares
from utils.explain.chosen_cases import ChosenCase, choose_by_certainty, choose_slides, write_cases
from utils.explain.slide_explanation import SlideExplanation, write_slide_explanation
from utils.explain.slide_image import require_slide_reader
from utils.pipeline.inputs import FoldInputs, bags, batch_reader
from utils.pipeline.models import load_model
from utils.pipeline.train_fold import Computation
from utils.runs.predictions import read_predictions
from utils.training.engine import Runner, evaluate

logger = logging.getLogger("main")

EXPLAINED_CASES = 3  # most certain, and as many least certain, of each fold


@dataclass(frozen=True)
class Explanation:
    """What is explained, and how it is shown.

    Attributes:
        cases: number of most certain, and of least certain, test cases of each fold; None for the default.
        slides: ids of slides to explain beside or instead of them; None for none.
        slides_dir: directory of slide images, or None.
        mpp: microns per level-0 pixel where files do not give it, or None.
        geojson: `patches` or `regions`.
        run: data set and name of the run, for titles.
    """

    cases: int | None
    slides: tuple[str, ...] | None
    slides_dir: Path | None
    mpp: float | None
    geojson: str
    run: str

    @classmethod
    def of(cls, settings: RunSettings) -> Explanation:
        """The explanation that the settings ask for."""
        return cls(
            cases=settings.explain_cases,
            slides=settings.explain_slides,
            slides_dir=settings.slides_dir,
            mpp=settings.mpp,
            geojson=settings.geojson,
            run=f"{settings.dataset}: {settings.run_dir.name}",
        )


def check_what_is_explained(explanation: Explanation, folds: Sequence[FoldInputs]) -> None:
    """Check that every slide is a test slide of a fold, whose model has not seen it, and that images can be opened.

    Raises:
        UserError: for another slide, or images that are not there or that no installed package opens.
    """
    if explanation.slides_dir is not None:
        require_slide_reader()
    tested = {slide_id for inputs in folds for slide_id in inputs.fold.slides("test")}
    unknown = [slide_id for slide_id in explanation.slides or () if slide_id not in tested]
    if unknown:
        raise UserError(
            f"got --explain_slides {unknown[0]}, which none of the folds tests ({len(unknown)} such slides in all): "
            f"expected test slides of fold {', '.join(str(inputs.fold.index) for inputs in folds)}"
        )


def explain_fold(inputs: FoldInputs, explanation: Explanation, computation: Computation, place: Path) -> None:
    """Explain the chosen test cases of a fold, and its anchors by all of its test cases.

    Args:
        inputs: of the fold.
        explanation: what is explained.
        computation: where and how it computes.
        place: the folder of the fold, which holds its checkpoint and predictions.

    Raises:
        UserError: for a checkpoint or predictions that cannot be read.
    """
    fold = inputs.fold.index
    predictions = read_predictions(place / "predictions_test.csv")
    case_ids = dict(zip(predictions["slide_ids"], predictions["case_id"], strict=True))
    chosen = chosen_cases(explanation, predictions)
    wanted = {slide_id for case in chosen for slide_id in case.slide_ids}
    model, _ = load_model(place / "checkpoint.pt")
    runner = Runner(model.to(computation.device), computation.device, computation.precision)
    reader = batch_reader(computation.num_workers, computation.device)
    batches = EvaluationBatches(bags(inputs, "test"), batch_size=1, reader=reader)
    shares = AnchorShares(model.n_anchors) if isinstance(model, MiCo) and inputs.anchors.read_slide is None else None
    with observe_mixing(model) if isinstance(model, MiCo) else nullcontext() as mixing:
        for batch, out in evaluate(runner, batches, n_batches=len(batches), label=f"explaining fold {fold}"):
            case_id = case_ids[";".join(batch.slide_ids)]
            nearest = nearest_of(model, batch)
            if shares is not None and nearest is not None:
                shares.add(case_id, batch.slide_ids, as_array(out.attention), as_array(nearest.anchor))
            for slide in slide_explanations(case_id, batch, out, nearest, wanted, explanation.mpp):
                write_explained(place / "explain" / slide.slide_id, slide, explanation)
    write_cases(place / "explain" / "cases.csv", chosen, predictions)
    if shares is not None and mixing is not None:
        title = f"{explanation.run}, fold {fold}"
        write_anchor_explanation(place / "explain", shares.table(), predictions, mixing.record(), title)
    elif isinstance(model, MiCo):
        logger.info("no table of anchors for fold %d, since each slide has anchors of its own", fold)
    logger.info("explained %d case%s of fold %d in %s", len(chosen), "s" * (len(chosen) != 1), fold, place / "explain")


def write_explained(folder: Path, slide: SlideExplanation, explanation: Explanation) -> None:
    """Write the files of a slide, and say what could not be made of it."""
    notes = write_slide_explanation(folder, slide, geojson=explanation.geojson, slides_dir=explanation.slides_dir)
    for note in notes:
        logger.info("%s: %s", slide.slide_id, note)


def nearest_of(model: BagModel, batch: Batch) -> NearestAnchors | None:
    """The nearest anchor of each patch of a batch in feature space; None for a model without anchors."""
    if not isinstance(model, MiCo):
        return None
    anchors = model.cluster_centers if batch.anchors is None else batch.anchors
    return nearest_anchors(batch.features, batch.slide_index, anchors, scale=model.feature_scale)


def slide_explanations(
    case_id: str,
    batch: Batch,
    out: BagOutput,
    nearest: NearestAnchors | None,
    wanted: Collection[str],
    mpp: float | None,
) -> Iterator[SlideExplanation]:
    """What a model made of the slides of a case, those that are wanted; `mpp`: microns per pixel given by the user."""
    stop = 0
    for index, slide in enumerate(batch.slides()):
        start, stop = stop, stop + len(slide.features)
        if slide.slide_id not in wanted:
            continue
        rows, geometry = slice(start, stop), patch_geometry(slide)
        yield SlideExplanation(
            slide_id=slide.slide_id,
            case_id=case_id,
            attention=as_array(out.attention[rows]),
            nearest=None if nearest is None else as_array(nearest.anchor[rows]),
            distance=None if nearest is None else as_array(nearest.distance[rows]),
            colours=None if nearest is None else similar_colours(as_array(nearest.anchors_of(index))),
            anchors=None if out.stage_assignment is None else as_array(out.stage_assignment[rows]),
            coords=None if slide.coords is None else as_array(slide.coords),
            patch_size=geometry.size,
            patch_size_source=geometry.source,
            mpp=mpp or geometry.mpp,
            mpp_source="--mpp" if mpp else geometry.mpp_source,
        )


def as_array(values: Tensor) -> np.ndarray:
    """Outputs of a model on the CPU."""
    return values.detach().cpu().numpy()


def chosen_cases(explanation: Explanation, predictions: pd.DataFrame) -> list[ChosenCase]:
    """The test cases of a fold to explain."""
    if explanation.slides is None:
        number = EXPLAINED_CASES if explanation.cases is None else explanation.cases
        return choose_by_certainty(predictions, number)
    by_certainty = choose_by_certainty(predictions, explanation.cases or 0)
    return by_certainty + choose_slides(predictions, explanation.slides)
