"""Command: feature files -> semantic anchors, of a data set and of each slide.

`python run_clustering.py --dataset_name BLCA --input_dir DIR --output_dir OUT --fold_csv fold0.csv fold1.csv`
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from datasets.errors import DataError
from datasets.folds.splits import read_training_slides
from datasets.slides.features import check_width_of, find_slides, open_slide, read_rows, read_slide
from datasets.slides.fingerprint import fingerprint_of
from utils.anchors.anchor_files import (
    dataset_anchors_path,
    provenance_path,
    read_provenance,
    slide_anchors_dir,
    write_anchors,
    write_provenance,
)
from utils.anchors.feature_norm import FeatureNorm, fit_zscore
from utils.anchors.kmeans import KMeans, check_gpu, count_degenerate, kmeans
from utils.anchors.sampling import even_quota, points_in_memory, sample_rows
from utils.command.arguments import build_parser, resolve
from utils.command.console import log_to_terminal
from utils.command.settings import CENTROID_OPTIONS, ClusteringSettings
from utils.errors import UserError
from utils.files.provenance import changed_values, digest, package_versions
from utils.machine.threads import map_in_threads

logger = logging.getLogger("run_clustering")

# faiss's subsample in the released procedure; otherwise all sampled points are used.
RELEASED = {"n_init": 1, "init": "random", "max_points_per_centroid": 256}
RELEASED_FILES = 20
REFIT = "pass --overwrite to fit again (REFIT_ANCHORS=yes in the scripts), or give another --output_dir"


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    return build_parser(ClusteringSettings, "run_clustering.py", "Fit semantic anchors by k-means over patch features.")


def main(args: argparse.Namespace) -> int:
    """Run the command and return its exit status: 0, 2 for a mistake that the user can mend, 130 for Ctrl-C."""
    log_to_terminal()
    try:
        run(resolve(ClusteringSettings, args))
    except (UserError, DataError) as error:
        sys.stderr.write(f"run_clustering.py: error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("run_clustering.py: interrupted; the same command goes on with the slides that are left\n")
        return 130
    return 0


@dataclass(frozen=True)
class Slide:
    """What is known of a slide before its features are used.

    Attributes:
        path: its feature file.
        n_patches: M, how many patches it has.
        width: D, of its features.
        fingerprint: of its features.
    """

    path: Path
    n_patches: int
    width: int
    fingerprint: str


@dataclass(frozen=True)
class Fitting:
    """What anchors are fitted on.

    Attributes:
        fold_csv: the fold whose training slides these are, or None for all slides.
        slides: these slides.
    """

    fold_csv: Path | None
    slides: dict[str, Slide]

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


def run(settings: ClusteringSettings) -> None:
    """Fit and write what the settings ask for."""
    if settings.gpu:
        check_gpu()
    slides, width = find_features(settings)
    fittings = [slides_to_fit(settings, fold_csv, slides) for fold_csv in settings.fold_csv or (None,)]
    check_place(settings.output_dir)
    # The slide anchors are those of every fold, unless the fold's training slides set the scale of the features.
    by_fold = settings.feature_norm == "zscore"
    for number, fitting in enumerate(fittings):
        quota = sampling_plan(settings, fitting, width)
        norm = fit_norm(settings, fitting, quota)
        if settings.scope in ("both", "dataset"):
            fit_dataset_anchors(settings, fitting, quota, width, norm)
        if settings.scope in ("both", "slide") and (by_fold or number == 0):
            fit_slide_anchors(settings, fitting if by_fold else Fitting(None, {}), slides, norm)


def find_features(settings: ClusteringSettings) -> tuple[dict[str, Slide], int]:
    """All slides of the input directories, and the width D of their features."""
    paths = find_slides(settings.input_dir)

    def look_at(path: Path) -> Slide:
        with open_slide(path) as slide:
            return Slide(path, slide.n_patches, slide.width, fingerprint_of(slide))

    slides = dict(zip(paths, map_in_threads(look_at, paths.values(), settings.workers), strict=True))
    return slides, check_width_of({slide.path: slide.width for slide in slides.values()})


def check_place(directory: Path) -> None:
    """Make the output directory, or say in a sentence why it cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write to --output_dir {directory} ({error.strerror}): give a writable directory"
        ) from error


def fit_dataset_anchors(
    settings: ClusteringSettings, fitting: Fitting, quota: dict[str, int], width: int, norm: FeatureNorm
) -> None:
    """Fit the anchors of the data set on a sample of these slides, and write them with their record."""
    path = dataset_anchors_path(settings.output_dir, settings.dataset_name, settings.n_clusters, fitting.fold)
    options = {**_options(settings, fitting), **fitting.source()}
    if _is_done(path, options, settings):
        logger.info("kept %s, made with the same options", path)
        return
    n_points = sum(quota.values())
    if n_points < settings.n_clusters:
        raise UserError(
            f"the {len(fitting.slides)} slides give {n_points} patches for {settings.n_clusters} anchors: "
            "lower --n_clusters, or give more slides"
        )
    result = _cluster(settings, _sample(settings, fitting, quota, width, norm), overwrite_x=True)
    record = {
        **options,
        **_measures(result),
        "K": settings.n_clusters,
        "D": width,
        "seed": settings.seed,
        "n_slides": len(fitting.slides),
        "points_used": n_points,
        "points_in_slides": sum(slide.n_patches for slide in fitting.slides.values()),
        "versions": package_versions(),
    }
    # In this order an interruption leaves a record without anchors, which are fitted again, never the reverse.
    path.unlink(missing_ok=True)
    write_provenance(path, record, norm)
    write_anchors(path, result.centroids)
    source = f"{n_points} patches of {len(fitting.slides)} slides"
    smallest, largest = result.sizes.min(), result.sizes.max()
    logger.info("wrote %s: %d anchors of %s", path, settings.n_clusters, source)
    logger.info("inertia %.6g, clusters of %d to %d patches", result.inertia, smallest, largest)
    _report_degenerate(str(path), result)


def fit_slide_anchors(
    settings: ClusteringSettings, fitting: Fitting, slides: dict[str, Slide], norm: FeatureNorm
) -> None:
    """Fit the own anchors of each slide of `slides` and write them slide by slide; slides that are done are kept.

    Threads read ahead, and one slide is fitted after the other: k-means uses all cores for one.
    """
    directory = slide_anchors_dir(settings.output_dir, settings.dataset_name, settings.n_clusters, fitting.fold)
    options = {**_options(settings, fitting), "slides": list(fitting.slides)}
    fingerprints = {slide_id: slide.fingerprint for slide_id, slide in slides.items()}
    done = {}
    if _is_done(directory, options, settings):
        done = read_provenance(directory).record.get("features", {})
        changed = changed_values(done, fingerprints)
        if changed:
            raise UserError(
                f"{directory} holds anchors of other features of {len(changed)} slides ({', '.join(changed[:3])}): "
                f"{REFIT}"
            )
    else:
        for outdated in directory.glob("*.pt"):  # --overwrite: a run that stops half-way must not mix old and new
            outdated.unlink()
    features = {**done, **fingerprints}
    if features != done:
        record = {**options, "K": settings.n_clusters, "seed": settings.seed, "versions": package_versions()}
        write_provenance(directory, {**record, "features": features}, norm)
    todo = [slide_id for slide_id in slides if not (directory / f"{slide_id}.pt").exists()]
    if len(todo) < len(slides):
        logger.info("%d of %d slides are done", len(slides) - len(todo), len(slides))
    read = map_in_threads(lambda slide_id: read_slide(slides[slide_id].path), todo, settings.workers)
    for slide in tqdm(read, "slide anchors", len(todo), disable=None, unit="slide"):
        path = directory / f"{slide.slide_id}.pt"
        write_anchors(path, slide_anchors(settings, slide.slide_id, norm(slide.features)))
    logger.info("wrote the anchors of %d slides to %s", len(todo), directory)


def slide_anchors(settings: ClusteringSettings, slide_id: str, features: torch.Tensor) -> np.ndarray:
    """The anchors (K, D) of a slide with these features (M, D); its patches, repeated in order, where M < K."""
    n_patches = len(features)
    if n_patches < settings.n_clusters:
        logger.info("%s has fewer patches (%d) than anchors: they are repeated", slide_id, n_patches)
        return features[torch.arange(settings.n_clusters) % n_patches].float().numpy()
    result = _cluster(settings, features)
    _report_degenerate(slide_id, result)
    return result.centroids


def slides_to_fit(settings: ClusteringSettings, fold_csv: Path | None, slides: dict[str, Slide]) -> Fitting:
    """The slides that data-set anchors, and the scale of the features, may see."""
    slide_ids = list(slides)
    if fold_csv is not None:
        slide_ids = read_training_slides(fold_csv)
        missing = [slide_id for slide_id in slide_ids if slide_id not in slides]
        found = (
            f"{len(missing)} of {len(slide_ids)} training slides of {fold_csv} have no feature file "
            f"({', '.join(missing[:3])})"
        )
        if missing and (settings.on_missing == "error" or len(missing) == len(slide_ids)):
            advice = "mend --input_dir, or pass --on_missing drop (ON_MISSING=drop in the scripts)"
            raise UserError(f"{found}: extract them, {advice}")
        if missing:
            logger.warning("warning: %s and were left out", found)
        slide_ids = [slide_id for slide_id in slide_ids if slide_id in slides]
    n_files = RELEASED_FILES if settings.preset == "released" else settings.n_files
    chosen = sorted(slide_ids)[:n_files]
    if fold_csv is None and _samples(settings):
        how_many = f"{len(chosen)} of {len(slides)}"
        logger.warning("no --fold_csv: fitting on %s slides of --input_dir, test slides included", how_many)
    return Fitting(fold_csv, {slide_id: slides[slide_id] for slide_id in chosen})


def sampling_plan(settings: ClusteringSettings, fitting: Fitting, width: int) -> dict[str, int]:
    """How many patches each slide gives to the data-set anchors; the released procedure takes all of its slides."""
    sizes = {slide_id: slide.n_patches for slide_id, slide in fitting.slides.items()}
    if settings.preset == "released":
        return sizes
    limit = points_in_memory(settings.max_points, width)
    if _samples(settings) and limit < min(settings.max_points, sum(sizes.values())):
        logger.warning(
            "--max_points %d lowered to %d: more patches of width %d would not fit into 1 GiB",
            settings.max_points,
            limit,
            width,
        )
    return even_quota(sizes, limit)


def _samples(settings: ClusteringSettings) -> bool:
    """Whether a sample of all slides decides on what is written."""
    return settings.scope != "slide" or settings.feature_norm == "zscore"


def fit_norm(settings: ClusteringSettings, fitting: Fitting, quota: dict[str, int]) -> FeatureNorm:
    """The scale of the features; `zscore` is that of a sample of the slides."""
    if settings.feature_norm != "zscore":
        return FeatureNorm(settings.feature_norm)
    blocks = map_in_threads(_sampler(settings, fitting, quota), list(fitting.slides), settings.workers)
    return fit_zscore(tqdm(blocks, "feature scale", len(fitting.slides), disable=None, leave=False, unit="slide"))


def _sampler(settings: ClusteringSettings, fitting: Fitting, quota: dict[str, int]) -> Callable[[str], torch.Tensor]:
    """A function that reads the sampled rows of a slide."""

    def read(slide_id: str) -> torch.Tensor:
        slide = fitting.slides[slide_id]
        return read_rows(slide.path, sample_rows(slide_id, slide.n_patches, quota[slide_id], settings.seed))

    return read


def _sample(
    settings: ClusteringSettings, fitting: Fitting, quota: dict[str, int], width: int, norm: FeatureNorm
) -> np.ndarray:
    """The sampled points (n, D) float32, slide after slide; they are in memory once."""
    points = np.empty((sum(quota.values()), width), dtype=np.float32)
    read = _sampler(settings, fitting, quota)
    blocks = map_in_threads(lambda slide_id: norm(read(slide_id)), list(quota), settings.workers)
    filled = 0
    for block in tqdm(blocks, "patches for the anchors", len(quota), disable=None, leave=False, unit="slide"):
        torch.from_numpy(points[filled : filled + len(block)]).copy_(block)
        filled += len(block)
    return points


def _cluster(settings: ClusteringSettings, points: np.ndarray | torch.Tensor, *, overwrite_x: bool = False) -> KMeans:
    chosen: dict[str, Any] = RELEASED if settings.preset == "released" else {"n_init": settings.n_init}
    return kmeans(
        points,
        settings.n_clusters,
        n_iter=settings.n_iter,
        seed=settings.seed,
        gpu=settings.gpu,
        overwrite_x=overwrite_x,
        **chosen,
    )


def _measures(result: KMeans) -> dict[str, Any]:
    duplicates, zeros = count_degenerate(result.centroids)
    return {
        "inertia": result.inertia,
        "smallest_cluster": int(result.sizes.min()),
        "largest_cluster": int(result.sizes.max()),
        "duplicate_centroids": duplicates,
        "zero_centroids": zeros,
    }


def _report_degenerate(name: str, result: KMeans) -> None:
    duplicates, zeros = count_degenerate(result.centroids)
    if duplicates or zeros:
        logger.warning("%s: %d duplicate and %d zero centroids", name, duplicates, zeros)


def _options(settings: ClusteringSettings, fitting: Fitting) -> dict[str, Any]:
    """The options that decide what anchors come out; the fold is named by its content, wherever it lies."""
    options = {name: getattr(settings, name) for name in ("preset", *CENTROID_OPTIONS)}
    fold = None if fitting.fold_csv is None else digest(fitting.fold_csv)
    return {"options": {**options, "fold_csv_sha256": fold}}


def _is_done(anchors: Path, options: dict[str, Any], settings: ClusteringSettings) -> bool:
    """Whether anchors of the same options are there; those of other or unknown options are refused, not mixed."""
    there = any(anchors.iterdir()) if anchors.is_dir() else anchors.exists()
    if settings.overwrite or not there:
        return False
    if not provenance_path(anchors).exists():
        raise UserError(f"{anchors} is there without a record of how it was made: {REFIT}")
    record = read_provenance(anchors).record
    if any(record.get(name) != value for name, value in options.items()):
        raise UserError(
            f"{anchors} was made with other options, slides or features ({provenance_path(anchors)}): {REFIT}"
        )
    return True


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
