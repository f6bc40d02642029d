"""The settings of the two commands: one frozen dataclass each, which holds every default."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.command.arguments import REQUIRED, option
from utils.errors import UserError

# Options that only some models read; with another model a value of theirs would be without effect.
MODELS_OF_OPTION = {
    **dict.fromkeys(("formulation", "n_stages", "similarity", "assignment", "ablate"), ("mico",)),
    "instance_weight": ("clam_sb",),
    "graph": ("patchgcn", "deepgraphconv"),
}
EXPLANATION_OPTIONS = ("explain_cases", "explain_slides", "slides_dir", "mpp", "geojson")
CENTROID_OPTIONS = ("n_iter", "n_init", "seed", "max_points", "n_files", "feature_norm")


@dataclass(frozen=True, kw_only=True)
class ClusteringSettings:
    """Settings of `run_clustering.py`."""

    dataset_name: str = option(REQUIRED, "name of the data set, the stem of the files written")
    input_dir: tuple[Path, ...] = option(REQUIRED, "directories of feature files")
    output_dir: Path = option(REQUIRED, "where the anchors go")
    n_clusters: int = option(64, "K, the number of anchors")
    scope: str = option(
        "both", "anchors of the whole data set, of each slide, or both", choices=("both", "dataset", "slide")
    )
    fold_csv: tuple[Path, ...] | None = option(
        None, "fit the data-set anchors on the training slides of this fold only; several folds: anchors of each"
    )
    preset: str | None = option(
        None, "'released': the procedure of the authors' code, test slides included", choices=("released",)
    )
    feature_norm: str = option("none", "scale of the features before clustering", choices=("none", "l2", "zscore"))
    on_missing: str = option(
        "error", "training slides without a feature file: stop, or leave them out", choices=("error", "drop")
    )
    n_iter: int = option(20, "iterations of k-means at most")
    n_init: int = option(3, "initialisations of k-means, of which the lowest inertia is kept")
    seed: int = option(1234, "seed of sampling and of k-means")
    max_points: int = option(
        262144, "patches for the data-set anchors, sampled evenly per slide; at most 1 GiB, for 2 GB of memory in all"
    )
    n_files: int | None = option(None, "use the first so many slides by name for the data-set anchors")
    workers: int = option(4, "threads that read files")
    gpu: bool = option(False, "run k-means on the GPU (needs faiss-gpu)")
    overwrite: bool = option(False, "fit again what is already there")

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        _check_choices(self)
        _at_least(self, 1, "n_clusters", "n_iter", "n_init", "max_points", "n_files", "workers")
        _at_least(self, 0, "seed")
        _check_name("dataset_name", self.dataset_name)
        stems = [path.stem for path in self.fold_csv or ()]
        if len(set(stems)) < len(stems):
            raise UserError(f"got --fold_csv of {', '.join(stems)}, expected files of different names")
        if self.preset == "released":
            defaults = {field.name: field.default for field in dataclasses.fields(self)}
            changed = [name for name in CENTROID_OPTIONS if getattr(self, name) != defaults[name]]
            if self.fold_csv is not None:
                changed.append("fold_csv")
            if changed:
                raise UserError(f"--preset released fixes the procedure; leave out {_options(changed)}")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of `main.py`. The defaults are the released protocol."""

    task: str = option(REQUIRED, "classification or survival", choices=("cls", "surv"))
    dataset: str = option(REQUIRED, "name of the data set, a folder of the results")
    features_dir: tuple[Path, ...] = option(REQUIRED, "directories of feature files")
    splits_dir: Path = option(REQUIRED, "directory of fold0.csv, fold1.csv ...")
    anchors: str = option(REQUIRED, "file: data-set anchors; directory: slide anchors; 'random'; {fold} is replaced")
    folds: tuple[int, ...] | None = option(None, "folds to run; all of the splits directory by default")

    model: str = option("mico", "model of the registry")
    formulation: str = option("released", "form of MiCo", choices=("released", "paper"))
    n_clusters: int = option(64, "K, the number of anchors")
    n_stages: int = option(3, "L, the number of context-aware clustering stages")
    embed_dim: int = option(512, "d, the width inside the model")
    dropout: float = option(0.05, "dropout rate")
    similarity: str = option("l2", "similarity of patch and anchor (released form)", choices=("l2", "dot"))
    assignment: str = option("soft", "assignment of patches to anchors (released form)", choices=("soft", "hard"))
    ablate: tuple[str, ...] | None = option(
        None,
        "leave out parts of MiCo: the anchors' initialisation, the Cluster Route, the Cluster Reducer",
        choices=("anchors", "route", "reducer"),
    )
    graph: str = option(
        "coords",
        "neighbours of a patch (patchgcn, deepgraphconv): by position, or by features",
        choices=("coords", "features"),
    )

    epochs: int = option(200, "at most so many epochs")
    patience: int = option(
        8, "stop after so many epochs without a better score: macro F1 (cls), loss (surv) of validation"
    )
    lr: float = option(2e-4, "learning rate")
    weight_decay: float = option(1e-5, "decoupled weight decay, on matrices only")
    batch_size: int = option(1, "cases in a batch")
    grad_accum: int = option(2, "batches in an optimizer step")
    optimizer: str = option("ranger", "ranger is Lookahead over RAdam", choices=("ranger", "radam", "adamw"))
    seed: int = option(2024, "seed of initialisation, order, dropout, sampling and bootstrap")
    max_patches: int | None = option(None, "train on a random subset of at most so many patches of a slide")
    weighted_sampling: bool = option(False, "draw training cases with equal probability per class (cls) or bin (surv)")
    precision: str = option(
        "auto", "auto: fp32 on the CPU, 16-bit on the GPU", choices=("auto", "fp32", "bf16", "fp16")
    )
    device: str = option("auto", "auto, cpu, cuda or cuda:N")

    alpha_surv: float = option(0.0, "weight that the survival loss moves from all cases to the uncensored ones")
    n_bins: int = option(4, "time bins of discrete survival")
    instance_weight: float = option(0.3, "weight of the instance loss (clam_sb, cls); the bag loss has the rest")

    recompute_above: int = option(
        50_000, "train bags of more patches in blocks that are computed again in the backward pass (mico)"
    )
    tensorboard: bool = option(False, "also write the rows of log.csv as TensorBoard scalars to fold{k}/tensorboard")
    profile: bool = option(False, "print where the seconds of each fold went, and write them to fold{k}/profile.json")

    stage: str = option(
        "all", "train and test, one of them, or explain tested folds", choices=("all", "train", "test", "explain")
    )
    explain_cases: int | None = option(
        None, "explain the k most and k least certain test cases of each fold; 3, or none with --explain_slides"
    )
    explain_slides: tuple[str, ...] | None = option(None, "explain these slides, by the folds that test them")
    slides_dir: Path | None = option(
        None, "slide images, for overlays and contact sheets (needs openslide or tiffslide)"
    )
    mpp: float | None = option(None, "microns per level-0 pixel, for scale bars, where files do not say")
    geojson: str = option(
        "patches", "slide.geojson holds each patch, or the region of each anchor", choices=("patches", "regions")
    )
    results_dir: Path = option(Path("results"), "where results go")
    run_name: str | None = option(None, "folder of this run; model and formulation by default")
    resume: bool = option(False, "continue an interrupted run; finished folds are skipped")
    overwrite: bool = option(False, "remove the results that are there")
    on_change: str = option(
        "error",
        "with --resume, results of other settings: stop, or name what changed and begin the run again",
        choices=("error", "restart"),
    )
    no_figures: bool = option(
        False, "leave out figures and report; python -m utils.figures and utils.report make them at any time"
    )
    num_workers: int = option(2, "threads that read features ahead of the training; 0 reads in the main thread")
    cache: str = option(
        "none", "ram: keep slides in memory, in the precision of their files, for all epochs", choices=("none", "ram")
    )
    cache_gb: float | None = option(
        None, "GB (1e9 bytes) that kept slides may take; half of the memory that is free at the start by default"
    )
    on_missing: str = option(
        "error", "slides without a feature file: stop, or drop and count", choices=("error", "drop")
    )
    allow_patient_overlap: bool = option(False, "accept patients in two of train, val and test; noted in the summary")
    feature_norm: str | None = option(
        None,
        "scale of the features; only with --anchors random (anchors carry their own)",
        choices=("none", "l2", "zscore"),
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        _check_choices(self)
        _at_least(self, 1, "n_clusters", "n_stages", "embed_dim", "epochs", "patience", "batch_size", "grad_accum")
        _at_least(self, 1, "max_patches")
        _at_least(self, 2, "n_bins")
        _at_least(self, 0, "seed", "num_workers", "weight_decay", "recompute_above")
        _check_name("dataset", self.dataset)
        if self.run_name is not None:
            _check_name("run_name", self.run_name)
        if not 0 <= self.dropout < 1:
            raise UserError(f"got --dropout {self.dropout}, expected 0 <= dropout < 1")
        for name in ("alpha_surv", "instance_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"got --{name} {getattr(self, name)}, expected a number from 0 to 1")
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise UserError(f"got --lr {self.lr}, expected a positive number")
        if not math.isfinite(self.weight_decay):
            raise UserError(f"got --weight_decay {self.weight_decay}, expected a finite number")
        if self.folds is not None and (min(self.folds, default=-1) < 0 or len(set(self.folds)) != len(self.folds)):
            raise UserError(f"got --folds {' '.join(map(str, self.folds))}, expected different numbers from 0 on")
        if self.feature_norm is not None and self.anchors != "random":
            raise UserError(
                "--feature_norm goes with --anchors random only: fitted anchors carry their own feature_norm"
            )
        self._check_model_options()
        if self.cache_gb is not None and not (self.cache == "ram" and 0 < self.cache_gb < math.inf):
            raise UserError(f"got --cache_gb {self.cache_gb}, expected a positive number, and --cache ram with it")
        self._check_explanation_options()
        if self.resume and self.overwrite:
            raise UserError("--resume keeps the results that are there and --overwrite removes them: give one of them")

    def _check_model_options(self) -> None:
        """An option that the model does not read is a mistake, not a wish to be ignored."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name, models in MODELS_OF_OPTION.items():
            if getattr(self, name) != defaults[name] and self.model not in models:
                raise UserError(f"got --{name} with --model {self.model}, expected it with {' or '.join(models)} only")
        if self.instance_weight != defaults["instance_weight"] and self.task != "cls":
            raise UserError("got --instance_weight with --task surv: CLAM's instance loss needs class labels")

    def _check_explanation_options(self) -> None:
        """Options of `--stage explain`, which no other stage reads."""
        _at_least(self, 0, "explain_cases")
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        given = [name for name in EXPLANATION_OPTIONS if getattr(self, name) != defaults[name]]
        if given and self.stage != "explain":
            raise UserError(f"got {_options(given)} with --stage {self.stage}, expected --stage explain with it")
        if self.mpp is not None and not 0 < self.mpp < math.inf:
            raise UserError(f"got --mpp {self.mpp}, expected a positive number of microns")

    @property
    def run_dir(self) -> Path:
        """`RESULTS/{task}/{dataset}/{run_name}`."""
        parts = (self.model, self.formulation, *(f"no_{part}" for part in self.ablate or ()))
        return self.results_dir / self.task / self.dataset / (self.run_name or "_".join(parts))


def as_plain(settings: ClusteringSettings | RunSettings) -> dict[str, Any]:
    """The settings as JSON values."""

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    return {field.name: plain(getattr(settings, field.name)) for field in dataclasses.fields(settings)}


def _check_choices(settings: Any) -> None:
    """The parser checks the command line; settings made in Python pass here alone."""
    for field in dataclasses.fields(settings):
        choices, value = field.metadata["choices"], getattr(settings, field.name)
        if choices is None or (value is None and field.default is None):
            continue
        for item in value if isinstance(value, tuple) else (value,):
            if item not in choices:
                raise UserError(f"got --{field.name} {item}, expected one of {', '.join(choices)}")


def _at_least(settings: Any, lowest: int, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if value is not None and not value >= lowest:
            raise UserError(f"got --{name} {value}, expected {lowest} or more")


def _check_name(name: str, value: str) -> None:
    if not value or value.startswith(".") or any(mark in value for mark in "/\\"):
        raise UserError(f"got --{name} '{value}', expected a name for a file: not empty, no '/', no '.' in front")


def _options(names: Sequence[str]) -> str:
    return ", ".join(f"--{name}" for name in names)
