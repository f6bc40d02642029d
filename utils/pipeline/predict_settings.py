"""The settings of `main.py` where it applies a trained run to another cohort."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

from datasets.make_splits.label_options import LabelOptions
from utils.command.arguments import REQUIRED, build_parser, option, resolve
from utils.command.checks import check_choices, check_limits, check_name, in_words
from utils.command.explanation_options import EXPLAIN, ExplanationOptions, check_explanation_options
from utils.command.limits import NUMBER, THREADS, Limits
from utils.command.threads_option import threads_option
from utils.command.verify_option import verify_option
from utils.errors import UserError
from utils.runs.predict_dir import predict_dir

PREDICT = "predict"
# What only predicting reads.
_OF_PREDICTIONS = ("labels", "patient_pattern", "on_missing", "allow_patient_overlap", "resume", "overwrite")


@dataclass(frozen=True, kw_only=True)
class PredictSettings(LabelOptions, ExplanationOptions):
    """Settings of `--stage predict`, and of `--stage explain` for a cohort that was predicted.

    Whatever is not set here comes from the run: model, scale of the features, number of patches, batch size. With
    `labels` the cohort is evaluated; its options are those of `datasets.make_splits`.
    """

    stage: str = option(
        PREDICT,
        "predict: the cases of another cohort; explain: cases of a cohort that was predicted",
        choices=(PREDICT, EXPLAIN),
    )
    run_dir: Path = option(
        REQUIRED, "the run to apply: RESULTS/TASK/DATASET/RUN_NAME, or a folder that utils.pipeline.export wrote"
    )
    features_dir: tuple[Path, ...] = option(REQUIRED, "directories of feature files of the cohort")
    cohort: str = option(REQUIRED, "name of the cohort: RUN_DIR/predict/NAME is written")
    folds: tuple[int, ...] | None = option(None, "folds whose models are used; default: all of the run", limits=NUMBER)
    anchors: Path | None = option(
        None, "directory of the anchors of each slide, only for a run with slide anchors; {fold} as in training"
    )
    precision: str = option(
        "auto",
        "floating-point precision; auto: that of the run, but fp32 on the CPU",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    device: str = option("auto", "auto, cpu, cuda or cuda:N")
    num_workers: int = option(
        2, "number of threads that read features ahead; 0 reads in the main thread", limits=Limits(0, THREADS)
    )
    threads: int | None = threads_option()
    verify: str = verify_option()
    on_missing: str = option(
        "error",
        "what to do about labelled slides without a feature file: stop, or leave them out and count them",
        choices=("error", "drop"),
    )
    allow_patient_overlap: bool = option(
        False, "accept patients and slides that a fold was trained on; the summary says so"
    )
    resume: bool = option(False, "continue an interrupted prediction")
    overwrite: bool = option(False, "replace the predictions of this cohort")
    no_figures: bool = option(False, "do not make figures and report")

    def __post_init__(self) -> None:
        """Validate the settings."""
        check_choices(self)
        check_name("cohort", self.cohort)
        check_limits(self)
        if self.resume and self.overwrite:
            raise UserError("--resume keeps the predictions that are there and --overwrite removes them: give one")
        if self.labels is None:
            of_table = {field.name for field in fields(LabelOptions)} - {"labels", "patient_pattern"}
            without = sorted(name for name in of_table if getattr(self, name) is not None)
            if without:
                raise UserError(f"got {in_words(without)} without --labels, expected the label table with it")
        check_explanation_options(self)
        without = [name for name in _OF_PREDICTIONS if getattr(self, name) not in (None, False, "error")]
        if self.stage == EXPLAIN and without:
            raise UserError(f"got {in_words(without)} with --stage explain, expected --stage predict with it")

    @property
    def folder(self) -> Path:
        """`RUN_DIR/predict/NAME`."""
        return predict_dir(self.run_dir, self.cohort)


def predict_parser() -> argparse.ArgumentParser:
    """The command line of `main.py` with `--run_dir`."""
    description = "Apply a trained run to the slides of another cohort: predictions, and with labels its validation."
    return build_parser(PredictSettings, "main.py --stage predict", description)


def predict_settings(arguments: argparse.Namespace) -> PredictSettings:
    """The settings that parsed arguments stand for; UserError for values that are not possible."""
    return resolve(PredictSettings, arguments)
