"""The slides of a data set in parts that take about as long, and fitting the anchors of one part."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from pathlib import Path

from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import find_slides
from datasets.slides.file_state import state_of
from utils.anchors.anchor_files import read_provenance
from utils.command.clustering_settings import ClusteringSettings
from utils.files.locks import check_free, locked
from utils.pipeline.anchor_sample import Fitting
from utils.pipeline.clustering import Clustering, Target, anchor_places
from utils.pipeline.fit_anchors import is_done
from utils.pipeline.slide_anchors import fit_slide_anchors, place_of_part

_PER_PROCESS = 4  # parts for each process: where slides take longer than their sizes tell, others take the rest
_PART_BYTES = 2**28  # of features: some 20 slides, 8 CPU seconds


def slide_directories(settings: ClusteringSettings) -> dict[Path, Fitting]:
    """The directories of slide anchors that a call writes, and what their scale is fitted on, without its slides."""
    by_fold = settings.feature_norm == "zscore"
    fittings = [Fitting(fold_csv, {}) for fold_csv in (by_fold and settings.fold_csv) or (None,)]
    places = anchor_places(fittings, "slide", Clustering.of(settings), Target.of(settings), by_fold=by_fold)
    return dict(zip(places, fittings, strict=True))


def number_of_parts(sizes: Mapping[str, int], n_processes: int) -> int:
    """Into how many parts slides of these sizes (bytes) are divided among so many processes."""
    wanted = max(n_processes, min(_PER_PROCESS * n_processes, sum(sizes.values()) // _PART_BYTES))
    return max(1, min(wanted, len(sizes)))


def divided(sizes: Mapping[str, int], n_parts: int) -> list[list[str]]:
    """Slides in parts of about the same size, each in the order of the slides; the same division for the same sizes.

    The largest slide that is left goes to the part that is the smallest so far.

    >>> divided({"a": 5, "b": 1, "c": 2, "d": 3}, 2)
    [['a', 'b'], ['c', 'd']]
    """
    parts: list[list[str]] = [[] for _ in range(n_parts)]
    heap = [(0, number) for number in range(n_parts)]
    for slide_id in sorted(sizes, key=lambda each: -sizes[each]):
        size, number = heapq.heappop(heap)
        parts[number].append(slide_id)
        heapq.heappush(heap, (size + sizes[slide_id], number))
    order = {slide_id: position for position, slide_id in enumerate(sizes)}
    return [sorted(part, key=order.__getitem__) for part in parts]


def file_sizes(paths: Mapping[str, Path]) -> dict[str, int]:
    """The bytes of the feature files; 0 of one that is gone, which is said when it is read."""
    return {slide_id: (state_of(path) or (0, 0))[0] for slide_id, path in paths.items()}


def fit_part(settings: ClusteringSettings, part: int, n_parts: int) -> None:
    """Fit the anchors of a part of the slides, after `begin_slide_anchors` has recorded all of them.

    Args:
        settings: of the call.
        part: the number of the part, from 0 on.
        n_parts: how many there are.

    Raises:
        HeldError: another process fits this part, or all of them.
        UserError: as `fit_slide_anchors` does, and for anchors that are made otherwise by now.
    """
    paths, index = find_slides(settings.input_dir), FeatureIndex(settings.verify, threads=settings.workers)
    own = {slide_id: paths[slide_id] for slide_id in divided(file_sizes(paths), n_parts)[part]}
    clustering, target = Clustering.of(settings), Target.of(settings)
    for directory, fitting in slide_directories(settings).items():
        with locked(place_of_part(directory, part, n_parts)) as (place,):
            check_free([directory])
            # The directory is there, with the lock in it, so that this compares the record with the options.
            is_done(directory, target.recorded(fitting), overwrite=False)
            norm = read_provenance(directory).feature_norm
            fit_slide_anchors(own, index, directory, norm, clustering, settings.workers, place=place)


def left_in(settings: ClusteringSettings) -> int:
    """How many slide anchors are not there yet."""
    slide_ids = find_slides(settings.input_dir)
    return sum(
        not (directory / f"{slide_id}.pt").exists()
        for directory in slide_directories(settings)
        for slide_id in slide_ids
    )
