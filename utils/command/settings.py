"""The settings of the two commands: one frozen dataclass each, which holds every default but those of the models."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from utils.command.arguments import MODEL_OPTIONS, REQUIRED, option
from utils.command.checks import at_least, changed, check_choices, check_name, in_words
from utils.command.explanation_options import ExplanationOptions, check_explanation_options
from utils.errors import UserError

RANDOM = "random"  # `--anchors`: none that were fitted


@dataclass(frozen=True, kw_only=True)
class ClusteringSettings:
    """Settings of `run_clustering.py`. Those that decide results are recorded beside the anchors.

    The number of anchors and the fold are part of the files' names, so other ones are other files; slides that are left
    out are recorded slide by slide.
    """

    dataset_name: str = option(REQUIRED, "name of the data set: the stem of the files that are written", role="place")
    input_dir: tuple[Path, ...] = option(REQUIRED, "directories of feature files", role="place")
    output_dir: Path = option(REQUIRED, "directory that the anchors are written to", role="place")
    n_clusters: int = option(64, "K, the number of anchors", role="place")
    scope: str = option(
        "both",
        "which anchors to fit: of the whole data set, of each slide, or both",
        choices=("both", "dataset", "slide"),
        role="run",
    )
    fold_csv: tuple[Path, ...] | None = option(
        None,
        "fold file: fit the data-set anchors on its training slides only; several files: one set of anchors for each",
        role="place",
    )
    preset: str | None = option(
        None, "'released': the procedure of the authors' code, test slides included", choices=("released",)
    )
    on_missing: str = option(
        "error",
        "what to do about training slides without a feature file: stop, or leave them out",
        choices=("error", "drop"),
        role="run",
    )
    allow_patient_overlap: bool = option(
        False, "fit although a patient is in two of train, val and test of a fold; main.py needs it too", role="run"
    )
    n_iter: int = option(20, "maximum number of k-means iterations")
    n_init: int = option(3, "number of k-means initialisations, of which the one of lowest inertia is kept")
    seed: int = option(1234, "seed of sampling and of k-means")
    max_points: int = option(
        262144,
        "maximum number of patches for the data-set anchors, sampled evenly per slide; lowered where they would take "
        "more than 1 GiB, so that the command needs about 2 GB of memory",
    )
    n_files: int | None = option(
        None, "number of slides for the data-set anchors, the first ones by name; all by default"
    )
    feature_norm: str = option("none", "scale of the features before clustering", choices=("none", "l2", "zscore"))
    workers: int = option(4, "number of threads that read files", role="run")
    gpu: bool = option(False, "run k-means on the GPU (needs faiss-gpu)", role="run")
    overwrite: bool = option(False, "refit anchors that exist already", role="run")

    def __post_init__(self) -> None:
        """Validate the settings."""
        check_choices(self)
        at_least(self, 1, "n_clusters", "n_iter", "n_init", "max_points", "n_files", "workers")
        at_least(self, 0, "seed")
        check_name("dataset_name", self.dataset_name)
        stems = [path.stem for path in self.fold_csv or ()]
        if len(set(stems)) < len(stems):
            raise UserError(f"got --fold_csv of {', '.join(stems)}, expected files of different names")
        if self.preset == "released":
            fixed = [name for name in changed(self, "results") if name != "preset"]
            if self.fold_csv is not None:
                fixed.append("fold_csv")
            if fixed:
                raise UserError(f"--preset released fixes the procedure; leave out {in_words(fixed)}")


@dataclass(frozen=True, kw_only=True)
class RunSettings(ExplanationOptions):
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
    folds: tuple[int, ...] | None = option(None, "folds to run; default: all in --splits_dir", role="run")
    unit: str = option(
        "slide",
        "classification: what a bag is and what is predicted, a slide (as released) or a patient with all slides; "
        "survival is always by patient",
        choices=("slide", "patient"),
    )

    model: str = option("mico", "model to train")
    model_options: Mapping[str, Any]  # not an option itself: those of the model, which the parser adds here
    n_clusters: int = option(64, "K, the number of anchors (models with anchors)")

    epochs: int = option(200, "maximum number of epochs")
    patience: int = option(8, "number of epochs without a better validation score after which training stops")
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
    lr: float = option(2e-4, "learning rate")
    weight_decay: float = option(1e-5, "decoupled weight decay, on matrices only")
    batch_size: int = option(1, "number of cases in a batch")
    grad_accum: int = option(2, "number of batches in an optimizer step")
    optimizer: str = option("ranger", "optimizer; ranger is Lookahead over RAdam", choices=("ranger", "radam", "adamw"))
    seed: int = option(2024, "seed of initialisation, order, dropout, sampling and bootstrap")
    max_patches: int | None = option(
        None, "maximum number of patches of a slide in training, a random subset of them; all by default"
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

    alpha_surv: float = option(0.0, "extra weight of uncensored cases in the survival loss, 0 to 1")
    n_bins: int = option(4, "number of time bins of discrete survival")

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
    overwrite: bool = option(False, "delete existing results of this run first", role="run")
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
        2, "number of threads that read features ahead of the training; 0 reads in the main thread", role="run"
    )
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
        at_least(self, 1, "n_clusters", "epochs", "patience", "batch_size", "grad_accum", "max_patches")
        at_least(self, 2, "n_bins")
        at_least(self, 0, "seed", "num_workers", "weight_decay")
        check_name("dataset", self.dataset)
        if self.run_name is not None:
            check_name("run_name", self.run_name)
        if not 0 <= self.alpha_surv <= 1:
            raise UserError(f"got --alpha_surv {self.alpha_surv}, expected a number from 0 to 1")
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise UserError(f"got --lr {self.lr}, expected a positive number")
        if not math.isfinite(self.weight_decay):
            raise UserError(f"got --weight_decay {self.weight_decay}, expected a finite number")
        if self.folds is not None and (min(self.folds, default=-1) < 0 or len(set(self.folds)) != len(self.folds)):
            raise UserError(f"got --folds {' '.join(map(str, self.folds))}, expected different numbers from 0 on")
        if self.unit != "slide" and self.task != "cls":
            raise UserError(
                f"got --unit {self.unit} with --task {self.task}, expected --task cls: survival is by patient anyway"
            )
        if self.feature_norm is not None and self.anchors != RANDOM:
            raise UserError(
                "--feature_norm goes with --anchors random only: fitted anchors carry their own feature_norm"
            )
        if self.cache_gb is not None and not (self.cache == "ram" and 0 < self.cache_gb < math.inf):
            raise UserError(f"got --cache_gb {self.cache_gb}, expected a positive number, and --cache ram with it")
        check_explanation_options(self)
        if self.resume and self.overwrite:
            raise UserError("--resume keeps the results that are there and --overwrite removes them: give one of them")

    @property
    def run_dir(self) -> Path:
        """`RESULTS/{task}/{dataset}/{run_name}`, by default of the model, its form, ablated parts, unit and seed."""
        options, others = self.model_options, changed(self, "results")
        form = [options["formulation"]] if "formulation" in options else []
        unit = [self.unit] if "unit" in others else []
        seed = [f"seed{self.seed}"] if "seed" in others else []
        parts = [self.model, *form, *(f"no_{part}" for part in options.get("ablate", ())), *unit, *seed]
        return self.results_dir / self.task / self.dataset / (self.run_name or "_".join(parts))


def as_plain(settings: ClusteringSettings | RunSettings) -> dict[str, Any]:
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
