"""What anchors are fitted on: the slides of a fold or of all files, and a sample of their patches on one scale."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from datasets.folds.missing_slides import GIVE_THEM, missing_in_words
from datasets.folds.splits import read_training_slides
from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import check_widths, find_slides
from datasets.slides.id_checks import check_slide_files
from utils.anchors.feature_norm import FeatureNorm, fit_zscore
from utils.anchors.sampling import even_quota, points_in_memory, sample_rows
from utils.command.clustering_settings import ClusteringSettings
from utils.errors import UserError
from utils.machine.threads import map_in_threads

logger = logging.getLogger("run_clustering")

RELEASED_FILES = 20  # the released procedure takes the first ones by name, with all their patches


@dataclass(frozen=True)
class Slide:
    """What is known of a slide before its features are used.

    Attributes:
        path: its feature file.
        n_patches: M, how many patches it has.
        width: D, of its features.
        fingerprint: of its features.
        index: of the feature files.
    """

    path: Path
    n_patches: int
    width: int
    fingerprint: str
    index: FeatureIndex

    def read_rows(self, rows: np.ndarray) -> torch.Tensor:
        """These of its features; UserError as `datasets.slides.features.read_rows` raises it."""
        return self.index.read_rows(self.path, rows)


@dataclass(frozen=True)
class Fitting:
    """What anchors are fitted on.

    Attributes:
        fold_csv: the fold whose training slides these are, or None for all slides.
        slides: these slides.
    """

    fold_csv: Path | None
    slides: Mapping[str, Slide]

    def source(self) -> dict[str, Any]:
        """These slides and the fingerprints of their features, for the record of the anchors."""
        return {
            "slides": list(self.slides),
            "features": {slide_id: slide.fingerprint for slide_id, slide in self.slides.items()},
        }

    @property
    def fold(self) -> str | None:
        """The name of the fold, which the names of its files end in."""
        return None if self.fold_csv is None else self.fold_csv.stem


@dataclass(frozen=True)
class Sampling:
    """How slides and patches are chosen.

    Attributes:
        n_files: maximum number of slides, the first by name; None takes all.
        max_points: maximum number of patches; None takes all of the slides.
        seed: of the choice of patches.
        workers: threads that read files.
        on_missing: `error`, or `drop` for training slides without a feature file.
        matters: whether a sample of all slides decides on what is written, so that its limits are worth a warning.
    """

    n_files: int | None
    max_points: int | None
    seed: int
    workers: int
    on_missing: str
    matters: bool

    @classmethod
    def of(cls, settings: ClusteringSettings) -> Sampling:
        """The sampling that the settings ask for."""
        released = settings.preset == "released"
        return cls(
            n_files=RELEASED_FILES if released else settings.n_files,
            max_points=None if released else settings.max_points,
            seed=settings.seed,
            workers=settings.workers,
            on_missing=settings.on_missing,
            matters=settings.scope != "slide" or settings.feature_norm == "zscore",
        )


@dataclass(frozen=True)
class Sample:
    """A sample of patches, chosen and not yet read.

    Attributes:
        fitting: the slides.
        width: D, of the features.
        quota: how many patches each slide gives.
        norm: the scale of the features.
    """

    fitting: Fitting
    width: int
    quota: Mapping[str, int]
    norm: FeatureNorm

    @property
    def n_points(self) -> int:
        """The number of patches."""
        return sum(self.quota.values())


def find_features(input_dir: Sequence[Path], workers: int, verify: str = "changed") -> tuple[dict[str, Slide], int]:
    """All slides of the input directories, and the width D of their features; `workers` threads look at files.

    `verify` says which: those that `changed` since their index was written, or all (`full`).

    Raises:
        UserError: for a file that cannot be read, is empty, or is of another width than the others.
    """
    paths, index = find_slides(input_dir), FeatureIndex(verify, threads=workers)
    slides = {
        slide_id: Slide(paths[slide_id], known.n_patches, known.width, known.fingerprint, index)
        for slide_id, known in index.look_at_all(paths).items()
    }
    return slides, check_widths({slide.path: slide.width for slide in slides.values()})


def slides_to_fit(slides: Mapping[str, Slide], fold_csv: Path | None, sampling: Sampling) -> Fitting:
    """The slides that data-set anchors, and the scale of the features, may see.

    Raises:
        UserError: for training slides of the fold without a feature file, unless these are dropped, and without a
            fold for a file whose name can be no slide id.
    """
    if fold_csv is None:
        check_slide_files(slides, "--input_dir")
    slide_ids = list(slides) if fold_csv is None else _training_slides(slides, fold_csv, sampling.on_missing)
    chosen = sorted(slide_ids)[: sampling.n_files]
    if fold_csv is None and sampling.matters:
        how_many = f"{len(chosen)} of {len(slides)}"
        logger.warning("no --fold_csv: fitting on %s slides of --input_dir, test slides included", how_many)
    return Fitting(fold_csv, {slide_id: slides[slide_id] for slide_id in chosen})


def _training_slides(slides: Mapping[str, Slide], fold_csv: Path, on_missing: str) -> list[str]:
    slide_ids = read_training_slides(fold_csv)
    missing = [slide_id for slide_id in slide_ids if slide_id not in slides]
    if not missing:
        return slide_ids
    paths = {slide_id: slide.path for slide_id, slide in slides.items()}
    words = missing_in_words(missing, paths, used=slide_ids)
    found = f"{len(missing)} of {len(slide_ids)} training slides of {fold_csv} have no feature file ({words})"
    if on_missing == "error" or len(missing) == len(slide_ids):
        advice = "correct --input_dir, or pass --on_missing drop (ON_MISSING=drop in the scripts)"
        raise UserError(f"{found}: {GIVE_THEM}, {advice}")
    logger.warning("warning: %s and were left out", found)
    return [slide_id for slide_id in slide_ids if slide_id in slides]


def choose_sample(fitting: Fitting, width: int, feature_norm: str, sampling: Sampling) -> Sample:
    """How many patches each slide gives, and the scale of the features; `zscore` is that of these patches."""
    quota = _quota(fitting, width, sampling)
    if feature_norm != "zscore":
        return Sample(fitting, width, quota, FeatureNorm(feature_norm))
    blocks = map_in_threads(_reader(fitting, quota, sampling.seed), list(fitting.slides), sampling.workers)
    progress = tqdm(blocks, "feature scale", len(fitting.slides), disable=None, leave=False, unit="slide")
    return Sample(fitting, width, quota, fit_zscore(progress))


def read_sample(sample: Sample, sampling: Sampling) -> np.ndarray:
    """The sampled points (n, D) float32, slide after slide, on their scale; they are in memory once.

    Raises:
        UserError: for a slide whose features leave the range of float32.
    """
    points = np.empty((sample.n_points, sample.width), dtype=np.float32)
    read = _reader(sample.fitting, sample.quota, sampling.seed)
    blocks = map_in_threads(
        lambda slide_id: scaled(read(slide_id), sample.norm, slide_id), list(sample.quota), sampling.workers
    )
    filled = 0
    for block in tqdm(blocks, "patches for the anchors", len(sample.quota), disable=None, leave=False, unit="slide"):
        torch.from_numpy(points[filled : filled + len(block)]).copy_(block)
        filled += len(block)
    return points


def scaled(features: torch.Tensor, norm: FeatureNorm, slide_id: str) -> torch.Tensor:
    """Features (M, D) of a slide in float32 on their scale.

    Raises:
        UserError: where they leave the range of float32.
    """
    numbers = norm(features).float()
    if len(numbers) and not all(math.isfinite(extreme) for extreme in torch.aminmax(numbers)):
        largest = float(features.double().abs().max())
        raise UserError(
            f"features of {slide_id} reach to {largest:.3g}, which with --feature_norm {norm.kind} leaves the range of "
            "float32: extract its features again or take the slide out"
        )
    return numbers


def _quota(fitting: Fitting, width: int, sampling: Sampling) -> dict[str, int]:
    sizes = {slide_id: slide.n_patches for slide_id, slide in fitting.slides.items()}
    if sampling.max_points is None:
        return sizes
    limit = points_in_memory(sampling.max_points, width)
    if sampling.matters and limit < min(sampling.max_points, sum(sizes.values())):
        logger.warning(
            "--max_points %d lowered to %d: more patches of width %d would not fit into 1 GiB",
            sampling.max_points,
            limit,
            width,
        )
    return even_quota(sizes, limit)


def _reader(fitting: Fitting, quota: Mapping[str, int], seed: int) -> Callable[[str], torch.Tensor]:
    """A function that reads the sampled rows of a slide."""

    def read(slide_id: str) -> torch.Tensor:
        slide = fitting.slides[slide_id]
        return slide.read_rows(sample_rows(slide_id, slide.n_patches, quota[slide_id], seed))

    return read
