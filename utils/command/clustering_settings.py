"""The settings of `run_clustering.py`: a frozen dataclass that holds every default."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from utils.command.arguments import REQUIRED, names_of, option
from utils.command.checks import changed, check_choices, check_limits, check_name, in_words
from utils.command.launch_options import CPU, LaunchOptions, check_launch_options
from utils.command.limits import ANCHORS, COUNT, SEED, THREADS, Limits
from utils.command.verify_option import verify_option
from utils.errors import UserError


@dataclass(frozen=True, kw_only=True)
class ClusteringSettings(LaunchOptions):
    """Settings of `run_clustering.py`. Those that decide results are recorded beside the anchors.

    The number of anchors and the fold are part of the files' names, so other ones are other files; slides that are left
    out are recorded slide by slide.
    """

    dataset_name: str = option(REQUIRED, "name of the data set: the stem of the files that are written", role="place")
    input_dir: tuple[Path, ...] = option(REQUIRED, "directories of feature files", role="place")
    output_dir: Path = option(REQUIRED, "directory that the anchors are written to", role="place")
    n_clusters: int = option(64, "K, the number of anchors", role="place", limits=ANCHORS)
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
    n_iter: int = option(20, "maximum number of k-means iterations", limits=COUNT)
    n_init: int = option(
        3, "number of k-means initialisations, of which the one of lowest inertia is kept", limits=COUNT
    )
    seed: int = option(1234, "seed of sampling and of k-means", limits=SEED)
    max_points: int = option(
        262144,
        "maximum number of patches for the data-set anchors, sampled evenly per slide; lowered where they would take "
        "more than 1 GiB, so that the command needs about 2 GB of memory",
        limits=COUNT,
    )
    n_files: int | None = option(
        None, "number of slides for the data-set anchors, the first ones by name; all by default", limits=COUNT
    )
    feature_norm: str = option("none", "scale of the features before clustering", choices=("none", "l2", "zscore"))
    workers: int = option(4, "number of threads that read files", role="run", limits=Limits(1, THREADS))
    verify: str = verify_option()
    gpu: bool = option(False, "run k-means on the GPU (needs faiss-gpu)", role="run")
    overwrite: bool = option(False, "refit anchors that exist already", role="run")

    launcher: str | None = option(
        None,
        "fit slide anchors in parts, several at a time, each in a process of its own: local is this machine; the "
        "default where one of the next three options is given",
        role="run",
    )
    gpus: tuple[str, ...] | None = option(
        None,
        "GPUs that slides are spread over: all, their numbers, or cpu for none; default: as --gpu says",
        role="run",
    )
    jobs_per_gpu: int | None = option(
        None, "parts of the slides at a time on each GPU; default: 1", role="run", limits=Limits(1, 1024)
    )
    jobs: int | None = option(
        None, "parts of the slides at a time on the CPU; default: 1", role="run", limits=Limits(1, 1024)
    )

    def __post_init__(self) -> None:
        """Validate the settings."""
        check_choices(self)
        check_limits(self)
        check_name("dataset_name", self.dataset_name)
        check_launch_options(self)
        if self.launches and self.scope == "dataset":
            given = [name for name in names_of(LaunchOptions, "run") if getattr(self, name) not in (None, False)]
            raise UserError(
                f"got {in_words(given)} with --scope dataset, expected --scope slide or both: slides are fitted in "
                "parts, and the anchors of the data set in one process"
            )
        if self.gpu and self.gpus == (CPU,):
            raise UserError("got --gpu with --gpus cpu, expected one of them")
        stems = [path.stem for path in self.fold_csv or ()]
        if len(set(stems)) < len(stems):
            raise UserError(f"got --fold_csv of {', '.join(stems)}, expected files of different names")
        if self.preset == "released":
            fixed = [name for name in changed(self, "results") if name != "preset"]
            if self.fold_csv is not None:
                fixed.append("fold_csv")
            if fixed:
                raise UserError(f"--preset released fixes the procedure; leave out {in_words(fixed)}")
