"""Fitting the own anchors of each slide by k-means, and writing them with their record."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import SlideFeatures
from datasets.slides.id_checks import check_slide_files
from utils.anchors.anchor_files import read_provenance, slide_anchors_dir, write_anchors, write_provenance
from utils.anchors.feature_norm import FeatureNorm
from utils.errors import UserError
from utils.files.locks import check_free, check_owned
from utils.files.phrases import agreeing, counted
from utils.files.provenance import changed_values, package_versions
from utils.machine.threads import map_in_threads
from utils.pipeline.anchor_sample import Fitting, Slide, scaled
from utils.pipeline.clustering import Clustering, Target
from utils.pipeline.fit_anchors import REFIT, is_done, report_degenerate

logger = logging.getLogger("run_clustering")

_MOST_AT_ONCE = 16  # slides that are fitted at the same time: all of them are in memory, three times


def begin_slide_anchors(
    slides: Mapping[str, Slide], fitting: Fitting, norm: FeatureNorm, clustering: Clustering, target: Target
) -> Path:
    """Make the directory of slide anchors ready for these slides, and return it; slides that are done are kept.

    The record has all slides before the first of them is fitted: what a part of them is fitted with is read from it.

    Args:
        slides: all of them.
        fitting: the slides that the scale of the features is that of.
        norm: this scale.
        clustering: how anchors are found.
        target: where they go.

    Raises:
        UserError: for anchors that are there and were made otherwise, or of other features, and for a file whose name
            can be no slide id.
        HeldError: where the record has to change, and other processes fit parts of the slides.
    """
    check_slide_files(slides, "--input_dir")
    directory = slide_anchors_dir(target.output_dir, target.dataset_name, clustering.n_clusters, fitting.fold)
    options = {**target.recorded(fitting), "slides": list(fitting.slides)}
    fingerprints = {slide_id: slide.fingerprint for slide_id, slide in slides.items()}
    keeps = is_done(directory, options, overwrite=target.overwrite)
    done = read_provenance(directory).record.get("features", {}) if keeps else {}
    changed = changed_values(done, fingerprints)
    if changed:
        raise UserError(
            f"{directory} holds anchors of other features of {counted(len(changed), 'slide')} "
            f"({', '.join(changed[:3])}): {REFIT}"
        )
    features = {**done, **fingerprints}
    if features != done:
        check_no_parts(directory)
        if not keeps:
            for outdated in directory.glob("*.pt"):  # --overwrite that stops half-way must not mix old and new
                outdated.unlink()
        record = {**options, "K": clustering.n_clusters, "seed": clustering.seed, "versions": package_versions()}
        write_provenance(directory, {**record, "features": features}, norm)
    return directory


def fit_slide_anchors(
    paths: Mapping[str, Path],
    index: FeatureIndex,
    directory: Path,
    norm: FeatureNorm,
    clustering: Clustering,
    workers: int,
    *,
    place: Path,
) -> None:
    """Fit the own anchors of slides and write them slide by slide; slides that are done are kept.

    Threads read ahead, and each core fits a slide of its own: two threads for one slide of 10,000 patches took 1.10 CPU
    seconds beside other work, and one thread 0.48, since they wait for one another thousands of times.

    Args:
        paths: the feature files of the slides.
        index: of these files.
        directory: which `begin_slide_anchors` has made ready.
        norm: the scale of the features.
        clustering: how anchors are found.
        workers: threads that read.
        place: what this process has the lock of: the directory, or the place of a part.

    Raises:
        UserError: for a file that cannot be read, and where the lock was lost.
    """
    todo = [slide_id for slide_id in paths if not (directory / f"{slide_id}.pt").exists()]
    if len(todo) < len(paths):
        n_done = len(paths) - len(todo)
        logger.info("%d of %s %s done", n_done, counted(len(paths), "slide"), agreeing(n_done, "is", "are"))

    def fitted(slide: SlideFeatures) -> tuple[str, np.ndarray]:
        return slide.slide_id, slide_anchors(clustering, slide.slide_id, scaled(slide.features, norm, slide.slide_id))

    try:
        with (
            closing(map_in_threads(lambda slide_id: index.read(paths[slide_id]), todo, workers)) as slides,
            _fitted_at_once(fitted, slides, clustering) as results,
        ):
            for slide_id, anchors in tqdm(results, "slide anchors", len(todo), disable=None, unit="slide"):
                check_owned(place)
                write_anchors(directory / f"{slide_id}.pt", anchors)
    finally:
        index.save()
    logger.info("wrote the anchors of %s to %s", counted(len(todo), "slide"), directory)


@contextmanager
def _fitted_at_once(fitted: Any, slides: Iterable[SlideFeatures], clustering: Clustering) -> Iterator[Iterable[Any]]:
    """What `fitted` says of the slides, in their order; faiss, which has threads of its own, fits one by one."""
    n_threads = min(torch.get_num_threads(), _MOST_AT_ONCE)
    if clustering.uses_faiss or n_threads == 1:
        yield map(fitted, slides)
        return
    with closing(map_in_threads(fitted, slides, n_threads)) as results:
        yield results


def slide_anchors(clustering: Clustering, slide_id: str, features: torch.Tensor) -> np.ndarray:
    """The anchors (K, D) of a slide with these features (M, D); its patches, repeated in order, where M < K."""
    n_patches = len(features)
    if n_patches < clustering.n_clusters:
        logger.info("%s has fewer patches (%d) than anchors: they are repeated", slide_id, n_patches)
        return features[torch.arange(clustering.n_clusters) % n_patches].float().numpy()
    result = clustering.fit(features)
    report_degenerate(slide_id, result, clustering)
    return result.centroids


def place_of_part(directory: Path, part: int, n_parts: int) -> Path:
    """What a process has the lock of while it fits this part of the slides of a directory."""
    return directory / f"part_{part + 1}_of_{n_parts}"


def check_no_parts(directory: Path) -> None:
    """Raise HeldError if a process fits a part of the slides of a directory."""
    locks = sorted(directory.glob(".part_*_of_*.lock"))
    check_free([directory / lock.name.removeprefix(".").removesuffix(".lock") for lock in locks])
