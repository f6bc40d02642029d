"""Fitting the anchors of a data set by k-means, and writing them with their record."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from utils.anchors.anchor_files import (
    dataset_anchors_path,
    provenance_path,
    read_provenance,
    write_anchors,
    write_provenance,
)
from utils.anchors.kmeans import KMeans, count_degenerate, distances_are_lost
from utils.errors import UserError
from utils.files.phrases import agreeing, counted
from utils.files.provenance import package_versions
from utils.pipeline.anchor_sample import Sample, Sampling, read_sample
from utils.pipeline.clustering import Clustering, Target

logger = logging.getLogger("run_clustering")

REFIT = "pass --overwrite to fit again (REFIT_ANCHORS=yes in the scripts), or give another --output_dir"


def fit_dataset_anchors(sample: Sample, sampling: Sampling, clustering: Clustering, target: Target) -> None:
    """Fit the anchors of the data set on a sample of its slides, and write them with their record.

    Raises:
        UserError: for fewer patches than anchors, or anchors that are there and were made otherwise.
    """
    fitting, n_points = sample.fitting, sample.n_points
    path = dataset_anchors_path(target.output_dir, target.dataset_name, clustering.n_clusters, fitting.fold)
    options = {**target.recorded(fitting), **fitting.source()}
    if is_done(path, options, overwrite=target.overwrite):
        logger.info("kept %s, made with the same options", path)
        return
    if n_points < clustering.n_clusters:
        give = f"{counted(len(fitting.slides), 'slide')} {agreeing(len(fitting.slides), 'gives', 'give')}"
        raise UserError(
            f"the {give} {counted(n_points, 'patch', 'patches')} for {counted(clustering.n_clusters, 'anchor')}: lower "
            "--n_clusters, or give more slides"
        )
    result = clustering.fit(read_sample(sample, sampling), overwrite_x=True)
    record = {
        **options,
        **_measures(result),
        "K": clustering.n_clusters,
        "D": sample.width,
        "seed": clustering.seed,
        "n_slides": len(fitting.slides),
        "points_used": n_points,
        "points_in_slides": sum(slide.n_patches for slide in fitting.slides.values()),
        "versions": package_versions(),
    }
    # In this order an interruption leaves a record without anchors, which are fitted again, never the reverse.
    path.unlink(missing_ok=True)
    write_provenance(path, record, sample.norm)
    write_anchors(path, result.centroids)
    source = f"{counted(n_points, 'patch', 'patches')} of {counted(len(fitting.slides), 'slide')}"
    smallest, largest = result.sizes.min(), result.sizes.max()
    logger.info("wrote %s: %s of %s", path, counted(clustering.n_clusters, "anchor"), source)
    logger.info("inertia %.6g, clusters of %d to %d patches", result.inertia, smallest, largest)
    report_degenerate(str(path), result, clustering)


def _measures(result: KMeans) -> dict[str, Any]:
    duplicates, zeros = count_degenerate(result.centroids)
    return {
        "inertia": result.inertia,
        "smallest_cluster": int(result.sizes.min()),
        "largest_cluster": int(result.sizes.max()),
        "duplicate_centroids": duplicates,
        "zero_centroids": zeros,
    }


def report_degenerate(name: str, result: KMeans, clustering: Clustering) -> None:
    """Warn of anchors that repeat or are zero, and of distances that float32 cannot tell."""
    duplicates, zeros = count_degenerate(result.centroids)
    if duplicates or zeros:
        logger.warning("%s: %d duplicate and %s", name, duplicates, counted(zeros, "zero centroid"))
    if distances_are_lost(result, from_mean=clustering.options.get("init") != "random"):
        logger.warning(
            "%s: patches of an anchor differ by less than float32 can tell of features so large: it is in doubt which "
            "anchor is nearest: give --feature_norm zscore, without --preset released",
            name,
        )


def is_done(anchors: Path, options: dict[str, Any], *, overwrite: bool) -> bool:
    """Whether anchors of the same options are there; those of other or unknown options are refused, not mixed.

    Raises:
        UserError: for anchors that were made otherwise, unless they are to be fitted again (`overwrite`).
    """
    there = any(anchors.iterdir()) if anchors.is_dir() else anchors.exists()
    if overwrite or not there:
        return False
    if not provenance_path(anchors).exists():
        raise UserError(f"{anchors} is there without a record of how it was made: {REFIT}")
    record = read_provenance(anchors).record
    if any(record.get(name) != value for name, value in options.items()):
        raise UserError(
            f"{anchors} was made with other options, slides or features ({provenance_path(anchors)}): {REFIT}"
        )
    return True
