"""Command: features + splits + anchors -> trained folds, predictions, tables.

`python main.py --task surv --dataset BLCA --features_dir DIR --splits_dir splits/4foldcv/tcga_blca --anchors FILE`

The parts of a run are in `utils/pipeline`. `run` imports them after the options have been checked, so that `--help` and
mistakes in the options are answered at once.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace

from models import MODELS
from utils.command.arguments import build_parser
from utils.command.console import log_to_terminal
from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.machine.memory import keep_freed_memory
from utils.pipeline.model_options import model_options, run_settings, takes_anchors
from utils.runs.tasks import MONITORS

logger = logging.getLogger("main")


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    description = "Train and test a multiple-instance model over the folds of a data set."
    choices = {
        "model": tuple(MODELS),
        "monitor": tuple(sorted({name for names in MONITORS.values() for name in names})),
    }
    return build_parser(RunSettings, "main.py", description, choices=choices, model_options=model_options())


def settings_of(args: argparse.Namespace) -> RunSettings:
    """The settings that parsed arguments stand for; UserError for impossible values and options of another model."""
    return run_settings(args)


def main(args: argparse.Namespace) -> int:
    """Run the command and return its exit code: 0 = success, 2 = a mistake that the user can fix, 130 = Ctrl-C."""
    log_to_terminal()
    keep_freed_memory()
    try:
        run(settings_of(args))
    except UserError as error:
        sys.stderr.write(f"main.py: error: {error}\n")
        return 2
    except KeyboardInterrupt:
        resume = "--resume instead of --overwrite" if args.overwrite else "--resume"
        how = "starts it again" if args.stage == "explain" else f"with {resume} goes on after the last whole epoch"
        sys.stderr.write(f"main.py: interrupted; the same command {how}\n")
        return 130
    return 0


def run(settings: RunSettings) -> None:
    """Check everything that can be checked, run each fold, and write the tables and figures of all that are there."""
    from utils.pipeline.places import check_run_places

    check_run_places(
        settings.features_dir, settings.splits_dir, settings.folds, settings.anchors, slides_dir=settings.slides_dir
    )

    # Slow to import: only after the checks above.
    from utils.machine.device import resolve_device, resolve_precision
    from utils.pipeline.inputs import AnchorSource, check_values, load_inputs, read_folds, slide_cache
    from utils.pipeline.models import architecture, new_model
    from utils.pipeline.record import claim_run, permitted, run_record, warn_of, write_results
    from utils.pipeline.train_fold import Computation, TrainingProtocol, run_fold, skip_fold
    from utils.pipeline.validation import check_monitor
    from utils.runs.run_dir import fold_dir, is_finished
    from utils.training.tensorboard_log import require_tensorboard

    if settings.tensorboard:
        require_tensorboard()
    device = resolve_device(settings.device)
    settings = replace(settings, device=str(device), precision=resolve_precision(settings.precision, device))
    computation = Computation(
        device, settings.precision, settings.num_workers, profile=settings.profile, tensorboard=settings.tensorboard
    )
    cache = slide_cache(settings.cache, settings.cache_gb)

    folds = read_folds(
        settings.splits_dir,
        settings.folds,
        settings.task,
        n_bins=settings.n_bins,
        allow_patient_overlap=settings.allow_patient_overlap,
    )
    n_clusters = settings.n_clusters if takes_anchors(settings.model) else None
    source = AnchorSource(settings.anchors, n_clusters, settings.feature_norm)
    inputs = load_inputs(folds, settings.features_dir, source, on_missing=settings.on_missing, cache=cache)
    sizes = {"dim_in": inputs[0].dim_in, "n_outputs": inputs[0].fold.n_outputs}
    design = architecture(settings.model, settings.model_options, n_anchors=n_clusters, **sizes)
    model = new_model(design, inputs[0].anchors, seed=settings.seed, fold=0)  # stops where options do not go together

    record = run_record(settings, inputs)
    settings = permitted(settings, record)
    done = {fold.index for fold in inputs if is_finished(settings.run_dir, fold.index, settings.task)}
    finished = done if settings.resume else set()
    if settings.stage == "explain":
        from utils.pipeline.explain_fold import Explanation, check_what_is_explained, explain_fold

        explanation = Explanation.of(settings)
        check_what_is_explained(explanation, inputs)
    else:
        left = [fold for fold in inputs if fold.index not in finished]
        if settings.stage != "test":
            check_monitor([fold.fold for fold in left], settings.monitor)
        check_values(left, model=settings.model, needs_coords=model.needs_coords)
    if cache is not None:
        logger.info(cache.describe())
    claim_run(settings, record)
    protocol = TrainingProtocol.of(settings)
    for fold in inputs:
        place = fold_dir(settings.run_dir, fold.index)
        if settings.stage == "explain":
            explain_fold(fold, explanation, computation, place)
        elif fold.index in finished:
            skip_fold(fold.index, place, computation)
        else:
            run_fold(fold, design, protocol, computation, place, stage=settings.stage)
            warn_of(settings.run_dir, fold.index, settings.stage)
    write_results(settings.run_dir, settings.stage, with_figures=not settings.no_figures)


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
