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

from datasets.bags import BagDataset, Batch
from datasets.batches import EvaluationBatches
from datasets.folds.cases import Case
from datasets.slides.patch_geometry import in_level0_pixels, patch_geometry
from datasets.slides.slide_ids import plain_slide_id
from models.bag_model import BagModel
from models.inspection.nearest_anchor import NearestAnchors, nearest_anchors
from models.inspection.reducer_mixing import observe_mixing
from models.mico import MiCo
from models.output import BagOutput
from utils.command.explanation_options import ExplanationOptions
from utils.errors import UserError
from utils.explain.anchor_colours import similar_colours
from utils.explain.anchor_explanation import write_anchor_explanation
from utils.explain.anchor_shares import AnchorShares
from utils.explain.chosen_cases import ChosenCase, choose_by_certainty, choose_slides, write_cases
from utils.explain.slide_explanation import SlideExplanation, write_slide_explanation
from utils.explain.slide_image import require_slide_reader
from utils.pipeline.inputs import FoldInputs, bags, batch_reader
from utils.pipeline.models import load_model
from utils.pipeline.needed_coords import check_coords
from utils.pipeline.train_fold import Computation
from utils.runs.class_words import ClassWords
from utils.runs.predictions import read_predictions, with_outcomes
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
        patch_size: side of a patch in level-0 pixels, in the place of what files say, or None.
        geojson: `patches` or `regions`.
        run: data set and name of the run, for titles.
    """

    cases: int | None
    slides: tuple[str, ...] | None
    slides_dir: Path | None
    mpp: float | None
    patch_size: int | None
    geojson: str
    run: str

    @classmethod
    def of(cls, options: ExplanationOptions, run: str) -> Explanation:
        """The explanation that the options ask for; `run` says what is explained, for titles."""
        return cls(
            cases=options.explain_cases,
            slides=plain_ids(options.explain_slides),
            slides_dir=options.slides_dir,
            mpp=options.mpp,
            patch_size=options.patch_size,
            geojson=options.geojson,
            run=run,
        )


def plain_ids(slide_ids: Sequence[str] | None) -> tuple[str, ...] | None:
    """Slide ids as a user may give them, without endings of images and features."""
    return None if slide_ids is None else tuple(plain_slide_id(slide_id) for slide_id in slide_ids)


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


@dataclass(frozen=True)
class PredictedCases:
    """Cases with what one model predicted of them, to be explained.

    Attributes:
        name: of the model in messages and titles, such as `fold 0`.
        model: as it predicted them, in evaluation mode.
        cases: the cases as bags.
        predictions: of these cases, a row for each in the same order; some may lack their outcomes.
        has_slide_anchors: whether each slide has anchors of its own.
        words: names of the classes.
        folder: where the explanations go.
    """

    name: str
    model: BagModel
    cases: BagDataset
    predictions: pd.DataFrame
    has_slide_anchors: bool
    words: ClassWords
    folder: Path


def explain_fold(inputs: FoldInputs, explanation: Explanation, computation: Computation, place: Path) -> None:
    """Explain the chosen test cases of a fold, and its anchors by all of its test cases.

    Args:
        inputs: of the fold.
        explanation: what is explained.
        computation: where and how it computes.
        place: the folder of the fold, which holds its checkpoint and predictions.

    Raises:
        UserError: for a checkpoint or predictions that cannot be read, and slides without the coordinates that the
            model needs.
    """
    model, _ = load_model(place / "checkpoint.pt")
    check_coords([model], {slide_id: inputs.paths[slide_id] for slide_id in inputs.fold.slides("test")}, inputs.known)
    explained = PredictedCases(
        name=f"fold {inputs.fold.index}",
        model=model,
        cases=bags(inputs, "test"),
        predictions=read_predictions(place / "predictions_test.csv"),
        has_slide_anchors=inputs.anchors.read_slide is not None,
        words=ClassWords.named(inputs.fold.class_names, inputs.fold.n_outputs),
        folder=place / "explain",
    )
    explain_cases(explained, explanation, computation)
    inputs.known.save()


def explain_cases(explained: PredictedCases, explanation: Explanation, computation: Computation) -> None:
    """Explain the chosen cases, and the anchors of the model by all cases whose outcome is known.

    Raises:
        UserError: for slides that cannot be read.
    """
    model, predictions, name = explained.model, explained.predictions, explained.name
    case_ids = dict(zip(predictions["slide_ids"], predictions["case_id"], strict=True))
    chosen = chosen_cases(explanation, predictions)
    wanted = {slide_id for case in chosen for slide_id in case.slide_ids}
    known = with_outcomes(predictions)
    has_table = isinstance(model, MiCo) and not explained.has_slide_anchors and len(known) > 0
    shares = AnchorShares(model.n_anchors) if isinstance(model, MiCo) and has_table else None
    counted = set(known["slide_ids"]) if shares is not None else set[str]()
    runner = Runner(model.to(computation.device), computation.device, computation.precision)
    cases = explained.cases.restricted(lambda case: not wanted.isdisjoint(case.slide_ids) or joined(case) in counted)
    batches = EvaluationBatches(cases, batch_size=1, reader=batch_reader(computation.num_workers, computation.device))
    with observe_mixing(model) if isinstance(model, MiCo) else nullcontext() as mixing:
        for batch, out in evaluate(runner, batches, n_batches=len(batches), label=f"explaining {name}"):
            case_id = case_ids[";".join(batch.slide_ids)]
            nearest = nearest_of(model, batch)
            if shares is not None and nearest is not None and ";".join(batch.slide_ids) in counted:
                shares.add(case_id, batch.slide_ids, as_array(out.attention), as_array(nearest.anchor))
            for slide in slide_explanations(case_id, batch, out, nearest, wanted, explanation):
                write_explained(explained.folder / slide.slide_id, slide, explanation)
    write_cases(explained.folder / "cases.csv", chosen, predictions)
    if shares is not None and mixing is not None:
        title = f"{explanation.run}, {name}"
        write_anchor_explanation(explained.folder, shares.table(), known, mixing.record(), title, explained.words)
    elif isinstance(model, MiCo):
        why = "each slide has anchors of its own" if explained.has_slide_anchors else "no case has an outcome"
        logger.info("no table of anchors for %s, since %s", name, why)
    logger.info("explained %d case%s of %s in %s", len(chosen), "s" * (len(chosen) != 1), name, explained.folder)


def joined(case: Case) -> str:
    """The slides of a case as a prediction file has them."""
    return ";".join(case.slide_ids)


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
    explanation: Explanation,
) -> Iterator[SlideExplanation]:
    """What a model made of the slides of a case, those that are wanted, with the sizes that the user gives."""
    stop, mpp = 0, explanation.mpp
    for index, slide in enumerate(batch.slides()):
        start, stop = stop, stop + len(slide.features)
        if slide.slide_id not in wanted:
            continue
        slide = in_level0_pixels(slide, mpp) if mpp else slide
        rows, geometry = slice(start, stop), patch_geometry(slide, explanation.patch_size)
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
            in_micrometres=geometry.in_micrometres,
            patch_size_doubt=None if slide.coords is None else geometry.doubt,
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
