"""The settings of `main.py`: a frozen dataclass that holds every default but those of the models."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from utils.command.arguments import MODEL_OPTIONS, REQUIRED, option
from utils.command.checks import changed, check_choices, check_limits, check_name
from utils.command.explanation_options import ExplanationOptions, check_explanation_options
from utils.command.launch_options import LaunchOptions, check_launch_options
from utils.command.limits import ANCHORS, COUNT, NUMBER, SEED, THREADS, Limits
from utils.command.threads_option import threads_option
from utils.command.verify_option import verify_option
from utils.errors import UserError

RANDOM = "random"  # `--anchors`: none that were fitted


@dataclass(frozen=True, kw_only=True)
class RunSettings(LaunchOptions, ExplanationOptions):
    """Settings of `main.py`. The defaults are the released configuration but for `tie_rule`.

    The options of the chosen model are in `model_options`, all of them, with the defaults of its class where nothing
    was given (`utils.command.model_options.resolve_model_options`).
    """

    task: str = option(REQUIRED, "classification or survival", choices=("cls", "surv"))
    dataset: str = option(REQUIRED, "name of the data set; also the name of its folder in the results")
    features_dir: tuple[Path, ...] = option(REQUIRED, "directories of feature files", role="place")
    splits_dir: Path = option(REQUIRED, "directory of fold0.csv, fold1.csv and so on", role="place")
    anchors: str = option(
        REQUIRED,
        "a file of data-set anchors, a directory of slide anchors, or 'random'; {fold} in it stands for the number of "
        "the fold",
        role="place",
    )
    folds: tuple[int, ...] | None = option(
        None, "folds to run; default: all in --splits_dir", role="run", limits=NUMBER
    )
    unit: str = option(
        "slide",
        "classification: what a bag is and what is predicted, a slide (as released) or a patient with all slides; "
        "survival is always by patient",
        choices=("slide", "patient"),
    )

    model: str = option("mico", "model to train")
    model_options: Mapping[str, Any]  # not an option itself: those of the model, which the parser adds here
    n_clusters: int = option(64, "K, the number of anchors (models with anchors)", limits=ANCHORS)

    epochs: int = option(200, "maximum number of epochs", limits=COUNT)
    patience: int = option(
        8, "number of epochs without a better validation score after which training stops", limits=COUNT
    )
    monitor: str = option(
        "auto",
        "validation score that stops training and selects the epoch, a column of log.csv; auto: macro F1 (cls) or the "
        "loss (surv), as released",
    )
    tie_rule: str = option(
        "val_loss",
        "which of several epochs of the same, best score is kept: the one of the lowest validation loss, or the first, "
        "as released",
        choices=("val_loss", "first"),
    )
    lr: float = option(2e-4, "learning rate", limits=Limits(1e-12, 1e3))
    weight_decay: float = option(1e-5, "decoupled weight decay, on matrices only", limits=Limits(0.0, 1e6))
    batch_size: int = option(1, "number of cases in a batch", limits=COUNT)
    grad_accum: int = option(2, "number of batches in an optimizer step", limits=COUNT)
    optimizer: str = option("ranger", "optimizer; ranger is Lookahead over RAdam", choices=("ranger", "radam", "adamw"))
    seed: int = option(2024, "seed of initialisation, order, dropout, sampling and the ROC bands", limits=SEED)
    max_patches: int | None = option(
        None, "maximum number of patches of a slide in training, a random subset of them; all by default", limits=COUNT
    )
    weighted_sampling: bool = option(
        False, "draw training cases so that each class (cls) or time bin (surv) has the same probability"
    )
    precision: str = option(
        "auto",
        "floating-point precision; auto: fp32 on the CPU, 16-bit on the GPU",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    device: str = option("auto", "auto, cpu, cuda or cuda:N", role="run")

    alpha_surv: float = option(
        0.0, "extra weight of uncensored cases in the survival loss, 0 to 1", limits=Limits(0.0, 1.0)
    )
    n_bins: int = option(4, "number of time bins of discrete survival", limits=Limits(2, 1000))

    tensorboard: bool = option(
        False, "also write the rows of log.csv as TensorBoard scalars, to fold{k}/tensorboard", role="run"
    )
    profile: bool = option(
        False, "print how many seconds each part of a fold took, and write them to fold{k}/profile.json", role="run"
    )
    stage: str = option(
        "all",
        "train and test, one of them, or explain tested folds",
        choices=("all", "train", "test", "explain"),
        role="run",
    )
    results_dir: Path = option(Path("results"), "directory that results are written to", role="place")
    run_name: str | None = option(
        None,
        "name of the folder of this run; default: model, formulation, ablated parts, and unit and seed where they are "
        "not the default, such as mico_released, mico_released_no_route_seed7 or abmil_patient",
        role="place",
    )
    resume: bool = option(False, "continue an interrupted run; finished folds are skipped", role="run")
    overwrite: bool = option(False, "delete existing results of these folds first", role="run")
    on_change: str = option(
        "error",
        "with --resume, what to do about results of other settings: stop, or say what changed and start again",
        choices=("error", "restart"),
        role="run",
    )
    no_figures: bool = option(
        False,
        "do not make figures and report; python -m utils.figures and python -m utils.report make them at any time",
        role="run",
    )
    num_workers: int = option(
        2,
        "number of threads that read features ahead of the training; 0 reads in the main thread",
        role="run",
        limits=Limits(0, THREADS),
    )
    threads: int | None = threads_option()
    verify: str = verify_option()
    cache: str = option(
        "none",
        "ram: keep slides in memory for all epochs, in the precision of their files",
        choices=("none", "ram"),
        role="run",
    )
    cache_gb: float | None = option(
        None,
        "maximum size of the slides in memory, in GB (1e9 bytes); by default half of the memory that is free at the "
        "start",
        role="run",
        limits=Limits(1e-6, 1e6),
    )
    on_missing: str = option(
        "error",
        "what to do about slides without a feature file: stop, or leave them out and count them",
        choices=("error", "drop"),
    )
    allow_patient_overlap: bool = option(
        False, "accept patients who are in two of train, val and test; the summary says so"
    )
    feature_norm: str | None = option(
        None,
        "scale of the features, only with --anchors random: fitted anchors bring their own",
        choices=("none", "l2", "zscore"),
    )

    def __post_init__(self) -> None:
        """Validate the settings; those of the model have been validated."""
        object.__setattr__(self, "model_options", MappingProxyType(dict(self.model_options)))
        check_choices(self)
        check_limits(self)
        check_name("dataset", self.dataset)
        if self.run_name is not None:
            check_name("run_name", self.run_name)
        if self.lr * self.weight_decay >= 1:
            raise UserError(
                f"got --lr {self.lr} with --weight_decay {self.weight_decay}, expected a product below 1: a step takes "
                "this part off each weight"
            )
        if self.folds is not None and (not self.folds or len(set(self.folds)) != len(self.folds)):
            raise UserError(f"got --folds {' '.join(map(str, self.folds))}, expected different numbers from 0 on")
        if self.unit != "slide" and self.task != "cls":
            raise UserError(
                f"got --unit {self.unit} with --task {self.task}, expected --task cls: survival is by patient anyway"
            )
        if self.feature_norm is not None and self.anchors != RANDOM:
            raise UserError(
                "--feature_norm goes with --anchors random only: fitted anchors carry their own feature_norm"
            )
        if self.cache_gb is not None and self.cache != "ram":
            raise UserError(f"got --cache_gb {self.cache_gb}, expected --cache ram with it")
        check_explanation_options(self)
        check_launch_options(self)
        if self.resume and self.overwrite:
            raise UserError("--resume keeps the results that are there and --overwrite removes them: give one of them")

    def __reduce__(self) -> tuple[Any, ...]:
        """For a process of its own: the view of the model's options, which nothing can change, cannot be pickled."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return partial(type(self), **{**values, MODEL_OPTIONS: dict(self.model_options)}), ()

    @property
    def run_dir(self) -> Path:
        """`RESULTS/{task}/{dataset}/{run_name}`, by default of the model, its form, ablated parts, unit and seed."""
        options, others = self.model_options, changed(self, "results")
        form = [options["formulation"]] if "formulation" in options else []
        unit = [self.unit] if "unit" in others else []
        seed = [f"seed{self.seed}"] if "seed" in others else []
        parts = [self.model, *form, *(f"no_{part}" for part in options.get("ablate", ())), *unit, *seed]
        return self.results_dir / self.task / self.dataset / (self.run_name or "_".join(parts))


def as_plain(settings: RunSettings) -> dict[str, Any]:
    """The settings as JSON values; the options of the model stand among the others."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        values |= plain_options(value) if field.name == MODEL_OPTIONS else {field.name: _plain(value)}
    return values


def plain_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a model as JSON values; of several values, none of which is given, None."""
    return {name: None if value == () else _plain(value) for name, value in options.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
