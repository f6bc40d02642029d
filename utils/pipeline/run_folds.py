"""The folds of a run, from its settings: checks, inputs, locks, then each fold, and the tables and figures of all."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from datasets.slides.feature_index import FeatureIndex
from datasets.slides.slide_cache import SlideCache
from utils.command.explanation_options import EXPLAIN
from utils.command.settings import RunSettings
from utils.files.locks import check_free, locked, locked_where_free
from utils.machine.device import resolve_device, resolve_precision
from utils.pipeline.inputs import (
    AnchorSource,
    FoldInputs,
    check_values,
    load_inputs,
    read_folds,
    sizes_of,
    slide_cache,
)
from utils.pipeline.model_options import takes_anchors
from utils.pipeline.models import architecture, load_model, new_model
from utils.pipeline.record import claim_run, has_finished, permitted, run_record, warn_of, write_results
from utils.pipeline.threads import compute_in_threads_of, threads_of_run
from utils.pipeline.train_fold import Computation, TrainingProtocol, run_fold, skip_fold
from utils.pipeline.validation import check_monitor
from utils.runs.earlier_name import where_it_began
from utils.runs.fold_state import is_finished
from utils.runs.run_dir import fold_dir
from utils.runs.run_parts import BEGINNING, FOLD, WHOLE
from utils.training.tensorboard_log import require_tensorboard

logger = logging.getLogger("main")


def run_part_of(settings: RunSettings, part: str = WHOLE, at_a_time: int | None = None) -> None:
    """Run all folds and write tables and figures, or only a part of that.

    Args:
        settings: of the run, whose places were checked (`utils.pipeline.places`).
        part: see `utils.runs.run_parts`.
        at_a_time: how many pieces share the cores of this machine; None for one.

    Raises:
        UserError: for what is wrong with options, files or results that are there.
    """
    if settings.tensorboard:
        require_tensorboard()
    device = resolve_device(settings.device)
    settings = where_it_began(settings)
    if part == FOLD and has_finished(settings):
        logger.info("fold %d is finished", *settings.folds or ())
        return
    settings = replace(settings, device=str(device), precision=resolve_precision(settings.precision, device))
    computation = Computation(
        device, settings.precision, settings.num_workers, profile=settings.profile, tensorboard=settings.tensorboard
    )
    index = FeatureIndex(settings.verify)
    cache = None if part == BEGINNING else slide_cache(settings.cache, settings.cache_gb, index.read)

    folds = read_folds(
        settings.splits_dir,
        settings.folds,
        settings.task,
        n_bins=settings.n_bins,
        allow_patient_overlap=settings.allow_patient_overlap,
        unit=settings.unit,
    )
    places = [fold_dir(settings.run_dir, fold.index) for fold in folds]
    shares = part == BEGINNING and settings.resume  # with another launcher of the same run
    if not shares:
        check_free(places)  # before features are looked at
    n_clusters = settings.n_clusters if takes_anchors(settings.model) else None
    source = AnchorSource(settings.anchors, n_clusters, settings.feature_norm)
    inputs = load_inputs(folds, settings.features_dir, source, on_missing=settings.on_missing, index=index, cache=cache)
    sizes = {"dim_in": inputs[0].dim_in, "n_outputs": inputs[0].fold.n_outputs}
    design = architecture(settings.model, settings.model_options, n_anchors=n_clusters, **sizes)
    model = new_model(design, inputs[0].anchors, seed=settings.seed, fold=0)  # stops where options do not go together

    take = locked_where_free if shares else locked
    with take(*places) as held:
        inputs = [each for each in inputs if fold_dir(settings.run_dir, each.index) in held]
        run_folds(
            settings,
            inputs,
            design,
            computation,
            needs_coords=model.needs_coords,
            cache=cache,
            part=part,
            at_a_time=at_a_time,
        )


def run_folds(
    settings: RunSettings,
    inputs: Sequence[FoldInputs],
    design: Mapping[str, Any],
    computation: Computation,
    *,
    needs_coords: bool,
    cache: SlideCache | None,
    part: str = WHOLE,
    at_a_time: int | None = None,
) -> None:
    """Run the folds whose locks this process holds, and write the tables and figures of all that are there.

    Args:
        settings: of the run, with its device and precision.
        inputs: of its folds.
        design: of their models, see `utils.pipeline.models.architecture`.
        computation: where and how they compute.
        needs_coords: whether the model needs the positions of patches.
        cache: the slides in memory that the folds share.
        part: all of that; or only what comes before, and finished folds; or only the folds.
        at_a_time: how many pieces share the cores of this machine; None for one.
    """
    if not inputs:
        logger.info("all folds are run by other processes")
        return
    threads = threads_of_run(settings, inputs, computation.device, at_a_time)
    record = run_record(settings, inputs, threads=threads.number)
    settings = permitted(settings, record)
    finished = {
        fold.index
        for fold in inputs
        if settings.resume and is_finished(fold_dir(settings.run_dir, fold.index), record["settings"])
    }
    if settings.stage in ("test", "explain"):
        for fold in inputs:
            load_model(fold_dir(settings.run_dir, fold.index) / "checkpoint.pt")  # before anything is written
    if settings.stage == "explain":
        from utils.pipeline.explain_fold import Explanation, check_what_is_explained, explain_fold

        explanation = Explanation.of(settings, f"{settings.dataset}: {settings.run_dir.name}")
        check_what_is_explained(explanation, inputs)
        left = []
    else:
        left = [fold for fold in inputs if fold.index not in finished]
        if settings.stage != "test":
            check_monitor([fold.fold for fold in left], settings.monitor)
        if part != FOLD:  # the beginning has looked at them, and `permitted` at whether they are the same
            check_values(left, model=settings.model, needs_coords=needs_coords)
    if cache is not None:
        cache.reserve(sizes_of(left))
        logger.info(cache.describe())
    if part != FOLD:
        claim_run(settings, record)
    compute_in_threads_of(settings, None if part == FOLD else threads)
    protocol = TrainingProtocol.of(settings)
    if part == BEGINNING:
        inputs = [fold for fold in inputs if fold.index in finished and settings.stage != EXPLAIN]
    for fold in inputs:
        place = fold_dir(settings.run_dir, fold.index)
        if settings.stage == "explain":
            explain_fold(fold, explanation, computation, place)
        elif fold.index in finished:
            skip_fold(fold, protocol, computation, place, stage=settings.stage)
        else:
            run_fold(fold, design, protocol, computation, place, stage=settings.stage)
            warn_of(settings.run_dir, fold.index, settings.stage)
    if part == WHOLE:
        write_results(settings.run_dir, settings.stage, with_figures=not settings.no_figures)
