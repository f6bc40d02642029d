"""Fitting anchors by k-means, of the data set and of each slide, and writing them with their record."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from datasets.slides.id_checks import check_slide_files
from utils.anchors.anchor_files import (
    dataset_anchors_path,
    provenance_path,
    read_provenance,
    slide_anchors_dir,
    write_anchors,
    write_provenance,
)
from utils.anchors.feature_norm import FeatureNorm
from utils.anchors.kmeans import KMeans, count_degenerate, distances_are_lost
from utils.errors import UserError
from utils.files.phrases import agreeing, counted
from utils.files.provenance import changed_values, package_versions
from utils.machine.threads import map_in_threads
from utils.pipeline.anchor_sample import Fitting, Sample, Sampling, Slide, read_sample, scaled
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
    if _is_done(path, options, overwrite=target.overwrite):
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
    _report_degenerate(str(path), result, clustering)


def fit_slide_anchors(
    slides: Mapping[str, Slide],
    fitting: Fitting,
    norm: FeatureNorm,
    clustering: Clustering,
    target: Target,
    workers: int,
) -> None:
    """Fit the own anchors of each slide and write them slide by slide; slides that are done are kept.

    Threads read ahead, and one slide is fitted after the other: k-means uses all cores for one.

    Args:
        slides: all of them.
        fitting: the slides that the scale of the features is that of.
        norm: this scale.
        clustering: how anchors are found.
        target: where they go.
        workers: threads that read.

    Raises:
        UserError: for anchors that are there and were made otherwise, or of other features, and for a file whose name
            can be no slide id.
    """
    check_slide_files(slides, "--input_dir")
    directory = slide_anchors_dir(target.output_dir, target.dataset_name, clustering.n_clusters, fitting.fold)
    options = {**target.recorded(fitting), "slides": list(fitting.slides)}
    _record_features(directory, slides, options, norm, clustering, overwrite=target.overwrite)
    todo = [slide_id for slide_id in slides if not (directory / f"{slide_id}.pt").exists()]
    if len(todo) < len(slides):
        n_done = len(slides) - len(todo)
        logger.info("%d of %s %s done", n_done, counted(len(slides), "slide"), agreeing(n_done, "is", "are"))
    read = map_in_threads(lambda slide_id: slides[slide_id].read(), todo, workers)
    try:
        for slide in tqdm(read, "slide anchors", len(todo), disable=None, unit="slide"):
            path = directory / f"{slide.slide_id}.pt"
            write_anchors(path, slide_anchors(clustering, slide.slide_id, scaled(slide.features, norm, slide.slide_id)))
    finally:
        for index in {id(slide.index): slide.index for slide in slides.values()}.values():
            index.save()
    logger.info("wrote the anchors of %s to %s", counted(len(todo), "slide"), directory)


def _record_features(
    directory: Path,
    slides: Mapping[str, Slide],
    options: dict[str, Any],
    norm: FeatureNorm,
    clustering: Clustering,
    *,
    overwrite: bool,
) -> None:
    """Write the record of slide anchors where these slides are not yet in it; remove what does not belong to it."""
    fingerprints = {slide_id: slide.fingerprint for slide_id, slide in slides.items()}
    done = {}
    if _is_done(directory, options, overwrite=overwrite):
        done = read_provenance(directory).record.get("features", {})
        changed = changed_values(done, fingerprints)
        if changed:
            raise UserError(
                f"{directory} holds anchors of other features of {counted(len(changed), 'slide')} "
                f"({', '.join(changed[:3])}): {REFIT}"
            )
    else:
        for outdated in directory.glob("*.pt"):  # --overwrite: a run that stops half-way must not mix old and new
            outdated.unlink()
    features = {**done, **fingerprints}
    if features != done:
        record = {**options, "K": clustering.n_clusters, "seed": clustering.seed, "versions": package_versions()}
        write_provenance(directory, {**record, "features": features}, norm)


def slide_anchors(clustering: Clustering, slide_id: str, features: torch.Tensor) -> np.ndarray:
    """The anchors (K, D) of a slide with these features (M, D); its patches, repeated in order, where M < K."""
    n_patches = len(features)
    if n_patches < clustering.n_clusters:
        logger.info("%s has fewer patches (%d) than anchors: they are repeated", slide_id, n_patches)
        return features[torch.arange(clustering.n_clusters) % n_patches].float().numpy()
    result = clustering.fit(features)
    _report_degenerate(slide_id, result, clustering)
    return result.centroids


def _measures(result: KMeans) -> dict[str, Any]:
    duplicates, zeros = count_degenerate(result.centroids)
    return {
        "inertia": result.inertia,
        "smallest_cluster": int(result.sizes.min()),
        "largest_cluster": int(result.sizes.max()),
        "duplicate_centroids": duplicates,
        "zero_centroids": zeros,
    }


def _report_degenerate(name: str, result: KMeans, clustering: Clustering) -> None:
    duplicates, zeros = count_degenerate(result.centroids)
    if duplicates or zeros:
        logger.warning("%s: %d duplicate and %s", name, duplicates, counted(zeros, "zero centroid"))
    if distances_are_lost(result, from_mean=clustering.options.get("init") != "random"):
        logger.warning(
            "%s: patches of an anchor differ by less than float32 can tell of features so large: it is in doubt which "
            "anchor is nearest: give --feature_norm zscore, without --preset released",
            name,
        )


def _is_done(anchors: Path, options: dict[str, Any], *, overwrite: bool) -> bool:
    """Whether anchors of the same options are there; those of other or unknown options are refused, not mixed."""
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
