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
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

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
from utils.pipeline.model_options import model_options, run_settings
from utils.pipeline.predict_settings import PredictSettings, predict_parser, predict_settings
from utils.runs.run_parts import BEGINNING, FOLD, WHOLE
from utils.runs.tasks import MONITORS


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
    """Check where things are, then see `utils.pipeline.run_folds.run_part_of`."""
    from utils.pipeline.places import check_run_places

    check_run_places(
        settings.features_dir, settings.splits_dir, settings.folds, settings.anchors, slides_dir=settings.slides_dir
    )
    from utils.pipeline.run_folds import run_part_of  # slow to import: only after the check above

    run_part_of(settings, part, at_a_time)


STEPS = Steps(begin_run, run_fold_alone, end_run)


if __name__ == "__main__":
    sys.exit(main(parse_arguments(sys.argv[1:])))
