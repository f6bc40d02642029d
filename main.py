"""Command: features + splits + anchors -> trained folds, predictions, tables.

`python main.py --task surv --dataset BLCA --features_dir DIR --splits_dir splits/4foldcv/tcga_blca --anchors FILE`

With `--run_dir`, a trained run is applied to another cohort, with options of its own:

`python main.py --stage predict --run_dir results/surv/BLCA/mico_released --features_dir DIR --cohort NAME`

The parts of a run are in `utils/pipeline`. `run` imports them after the options have been checked, so that `--help` and
mistakes in the options are answered at once.
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("main.py")

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from models import MODELS
from utils.command.arguments import build_parser
from utils.command.console import log_to_terminal
from utils.command.explanation_options import EXPLAIN
from utils.command.settings import RunSettings
from utils.launch.launchers import LAUNCHERS
from utils.launch.runs import Steps, launch_run
from utils.machine.cpu_threads import given_threads
from utils.machine.memory import keep_freed_memory
from utils.machine.process import exit_code
from utils.pipeline.model_options import model_options, run_settings, takes_anchors
from utils.pipeline.predict_settings import PredictSettings, predict_parser, predict_settings
from utils.runs.tasks import MONITORS

if TYPE_CHECKING:
    from datasets.slides.slide_cache import SlideCache
    from utils.pipeline.inputs import FoldInputs
    from utils.pipeline.train_fold import Computation

logger = logging.getLogger("main")

WHOLE, BEGINNING, FOLD = "whole", "beginning", "fold"  # parts of a run; the last two are pieces of a launcher


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command where folds are trained, tested or explained."""
    description = (
        "Train and test a multiple-instance model over the folds of a data set. A trained run is applied to another "
        "cohort by --stage predict, which has options of its own: main.py --stage predict --help."
    )
    choices = {
        "model": tuple(MODELS),
        "monitor": tuple(sorted({name for names in MONITORS.values() for name in names})),
        "launcher": tuple(LAUNCHERS),
    }
    return build_parser(RunSettings, "main.py", description, choices=choices, model_options=model_options())


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of either use of the command: `--run_dir` or `--stage predict` ask for a trained run."""
    applies = any(text.split("=")[0] == "--run_dir" or text == "--stage=predict" for text in argv)
    applies = applies or ("--stage", "predict") in pairwise(argv)
    return (predict_parser() if applies else get_args_parser()).parse_args(argv)


def settings_of(args: argparse.Namespace) -> RunSettings | PredictSettings:
    """The settings that parsed arguments stand for; UserError for impossible values and options of another model."""
    return predict_settings(args) if "run_dir" in args else run_settings(args)


def main(args: argparse.Namespace) -> int:
    """Run the command and return its exit code, see `utils.machine.process.exit_code`."""
    log_to_terminal()
    keep_freed_memory()

    def work() -> None:
        settings = settings_of(args)
        if isinstance(settings, PredictSettings):
            apply_run(settings)
        else:
            run(settings)

    return exit_code(work, "main.py", goes_on=f"the same command {_goes_on(args)}")


def _goes_on(args: argparse.Namespace) -> str:
    """What the same command does after an interruption."""
    if args.stage == EXPLAIN:
        return "starts it again"
    resume = "--resume instead of --overwrite" if args.overwrite else "--resume"
    return f"with {resume} goes on {'where it stopped' if args.stage == 'predict' else 'from what is saved'}"


def apply_run(settings: PredictSettings) -> None:
    """Apply a trained run to another cohort: predict it, or explain what was predicted."""
    from datasets.slides.slide_files import find_slides

    settings = replace(settings, threads=given_threads(settings.threads))
    find_slides(settings.features_dir)  # before anything that is slow to import
    if settings.stage == EXPLAIN:
        from utils.pipeline.explain_cohort import explain_cohort

        explain_cohort(settings)
    else:
        from utils.pipeline.predict_cohort import predict_cohort

        predict_cohort(settings)


def run(settings: RunSettings) -> None:
    """Check everything that can be checked, run each fold, and write the tables and figures of all that are there.

    A launcher runs the folds in processes of their own (`utils.launch`).

    Raises:
        UserError: for what is wrong with options, files or results that are there, and where a launched fold failed.
    """
    settings = replace(settings, threads=given_threads(settings.threads))
    if settings.launches:
        launch_run(settings, STEPS)
    else:
        run_part(settings)


def begin_run(settings: RunSettings, at_a_time: int | None = None) -> None:
    """Make the folder of a run ready for its folds, after all checks; finished folds get what they may lack.

    Folds of a run that goes on are left to other processes that are at work on them. `at_a_time` pieces share the cores
    of this machine; None where each has the cores of its process.
    """
    run_part(settings, BEGINNING, at_a_time)


def run_fold_alone(settings: RunSettings) -> None:
    """Run the only fold of the settings in the folder of a run that was made ready; a finished one is kept."""
    run_part(settings, FOLD)


def end_run(settings: RunSettings) -> None:
    """Write what is made of all folds of a run."""
    from utils.pipeline.record import write_results

    write_results(settings.run_dir, settings.stage, with_figures=not settings.no_figures)


def run_part(settings: RunSettings, part: str = WHOLE, at_a_time: int | None = None) -> None:
    """Run all folds and write tables and figures, or only a part of that: `WHOLE`, `BEGINNING` or `FOLD`."""
    from utils.pipeline.places import check_run_places

    check_run_places(
        settings.features_dir, settings.splits_dir, settings.folds, settings.anchors, slides_dir=settings.slides_dir
    )

    # Slow to import: only after the checks above.
    from datasets.slides.feature_index import FeatureIndex
    from utils.files.locks import check_free, locked, locked_where_free
    from utils.machine.device import resolve_device, resolve_precision
    from utils.pipeline.inputs import AnchorSource, load_inputs, read_folds, slide_cache
    from utils.pipeline.models import architecture, new_model
    from utils.pipeline.record import has_finished
    from utils.pipeline.train_fold import Computation
    from utils.runs.earlier_name import where_it_began
    from utils.runs.run_dir import fold_dir
    from utils.training.tensorboard_log import require_tensorboard

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
    from utils.pipeline.inputs import check_values, sizes_of
    from utils.pipeline.models import load_model
    from utils.pipeline.record import claim_run, permitted, run_record, warn_of
    from utils.pipeline.threads import compute_in_threads_of, threads_of_run
    from utils.pipeline.train_fold import TrainingProtocol, run_fold, skip_fold
    from utils.pipeline.validation import check_monitor
    from utils.runs.fold_state import is_finished
    from utils.runs.run_dir import fold_dir

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
        end_run(settings)


STEPS = Steps(begin_run, run_fold_alone, end_run)


if __name__ == "__main__":
    sys.exit(main(parse_arguments(sys.argv[1:])))
