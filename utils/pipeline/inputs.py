"""What a fold needs from disk, read and checked before the first epoch: cases, features, anchors; and its batches."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from datasets.bags import BagDataset
from datasets.batches import BatchReader
from datasets.folds.cases import PARTS
from datasets.folds.splits import Fold, find_folds, keep_available, read_fold
from datasets.folds.units import patients_as_bags
from datasets.slides.feature_index import READING_THREADS, FeatureIndex
from datasets.slides.features import SlideFeatures, check_widths, find_slides, read_slide
from datasets.slides.index_table import IndexedSlide
from datasets.slides.row_doubts import repetition_warnings
from datasets.slides.slide_cache import SlideCache
from models import options_of
from utils.anchors.feature_norm import FeatureNorm, fit_zscore
from utils.anchors.fold_anchors import FoldAnchors, load_fold_anchors
from utils.command.settings import RANDOM
from utils.errors import UserError
from utils.machine.memory import free_memory
from utils.machine.threads import map_in_threads
from utils.pipeline.needed_coords import refuse_slides

logger = logging.getLogger("main")

CACHE_SHARE = 0.5  # of the free memory: the rest is for the model, batches under way and the files of the page cache

SlideReader = Callable[[Path], SlideFeatures]


@dataclass(frozen=True)
class AnchorSource:
    """Where the anchors of the folds come from.

    Attributes:
        anchors: a file, a directory, or `random`; `{fold}` in it stands for the number of the fold.
        n_clusters: K; None for a model without anchors, which takes only their scale of the features, to be compared
            with MiCo on equal terms.
        feature_norm: the scale of the features, only with `random`.
    """

    anchors: str
    n_clusters: int | None
    feature_norm: str | None


@dataclass(frozen=True)
class FoldInputs:
    """All that a fold needs from disk, checked.

    Attributes:
        fold: its cases.
        paths: the feature file of each slide.
        fingerprints: of the features of each slide.
        dim_in: D, the width of the features.
        anchors: its anchors, and the scale of the features that goes with them.
        known: the index of the feature files.
        read: reads a feature file as this index does, or takes it from memory.
    """

    fold: Fold
    paths: Mapping[str, Path]
    fingerprints: Mapping[str, str]
    dim_in: int
    anchors: FoldAnchors
    known: FeatureIndex
    read: SlideReader

    @property
    def index(self) -> int:
        """The number of the fold."""
        return self.fold.index

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the results should know."""
        return (*self.fold.warnings, *self.anchors.warnings)


def slide_cache(cache: str, gigabytes: float | None, read: SlideReader = read_slide) -> SlideCache | None:
    """The memory that all folds share (`--cache ram`); by default half of what is free. `read` reads a file.

    Raises:
        UserError: where the system does not say how much memory is free.
    """
    if cache == "none":
        return None
    return SlideCache(int(CACHE_SHARE * free_memory() if gigabytes is None else gigabytes * 1e9), read)


def read_folds(
    splits_dir: Path,
    numbers: Sequence[int] | None,
    task: str,
    *,
    n_bins: int,
    allow_patient_overlap: bool,
    unit: str = "slide",
) -> list[Fold]:
    """The folds of these numbers, or all of the directory; in classification, of `slide`s or `patient`s as bags.

    Raises:
        UserError: as `datasets.folds.splits.read_fold` and `datasets.folds.units.patients_as_bags` do, and for folds
            that differ in their number of classes.
    """
    folds = [
        read_fold(splits_dir / f"fold{number}.csv", task, n_bins=n_bins, allow_patient_overlap=allow_patient_overlap)
        for number in numbers or find_folds(splits_dir)
    ]
    if len({fold.n_outputs for fold in folds}) > 1:
        classes = ", ".join(f"{fold.n_outputs} in fold {fold.index}" for fold in folds)
        raise UserError(f"the folds differ in their number of classes ({classes}): expected the same in all")
    return [patients_as_bags(fold) for fold in folds] if unit == "patient" else folds


def load_inputs(
    folds: Sequence[Fold],
    features_dir: Sequence[Path],
    source: AnchorSource,
    *,
    on_missing: str,
    index: FeatureIndex | None = None,
    cache: SlideCache | None = None,
) -> list[FoldInputs]:
    """Find and check the headers of the feature files, those that are not in their index, and the anchors of the folds.

    Args:
        folds: as `read_folds` gives them.
        features_dir: directories of feature files.
        source: where the anchors come from.
        on_missing: `error`, or `drop` for slides without a feature file.
        index: of the feature files; a new one by default.
        cache: keeps what is read of the slides in memory; it reads through the index.

    Raises:
        UserError: for features or anchors that are missing, damaged, or do not belong together.
    """
    found = find_slides(features_dir)
    folds = [keep_available(fold, found, on_missing)[0] for fold in folds]
    paths = {slide_id: found[slide_id] for slide_id in sorted({s for fold in folds for s in fold.slides()})}
    index = FeatureIndex() if index is None else index
    slides = index.look_at_all(paths)
    dim_in = check_widths({paths[slide_id]: slide.width for slide_id, slide in slides.items()})
    prints = {slide_id: slide.fingerprint for slide_id, slide in slides.items()}
    read = index.read if cache is None else cache.read
    without = FoldAnchors(FeatureNorm())
    inputs = [FoldInputs(fold, paths, prints, dim_in, without, index, read) for fold in folds]
    return [replace(each, anchors=anchors_of(source, each)) for each in inputs]


def anchors_of(source: AnchorSource, inputs: FoldInputs) -> FoldAnchors:
    """The anchors of a fold. With random ones, a `zscore` scale is that of the training slides.

    Raises:
        UserError: as `load_fold_anchors` does.
    """
    fold = inputs.fold
    if source.anchors != RANDOM:
        slides = {part: fold.slides(part) for part in PARTS}
        loaded = load_fold_anchors(
            source.anchors,
            fold.index,
            slides,
            inputs.fingerprints,
            n_clusters=source.n_clusters,
            dim_in=inputs.dim_in,
        )
        return loaded if source.n_clusters is not None else replace(loaded, dataset=None, read_slide=None)
    if source.feature_norm != "zscore":
        return FoldAnchors(FeatureNorm(source.feature_norm or "none"))
    features = (inputs.read(inputs.paths[slide_id]).features for slide_id in fold.slides("train"))
    return FoldAnchors(fit_zscore(features))


def check_values(inputs: Sequence[FoldInputs], *, model: str, needs_coords: bool) -> None:
    """Read every slide of these folds whose numbers the index does not know to be finite.

    NaN in a test slide should not come to light after the training. Slides whose rows, or positions where these matter,
    repeat themselves are named in the log.

    Args:
        inputs: of the folds that are still to be trained or tested.
        model: its name in the registry, for the message.
        needs_coords: whether it needs the positions of patches.

    Raises:
        UserError: as `read_slide` does, and for slides without the coordinates that the model needs.
    """
    paths = {slide_id: each.paths[slide_id] for each in inputs for slide_id in each.fold.slides()}
    if not paths:
        return
    index = inputs[0].known
    left = [path for path in paths.values() if not index.knows_values(path)]
    if left:
        try:
            slides = map_in_threads(inputs[0].read, left, READING_THREADS)
            deque(tqdm(slides, "checking features", len(left), leave=False, disable=None, unit="slide"), maxlen=0)
        finally:
            index.save()
    found = index.found(paths)
    without = [slide_id for slide_id, slide in found.items() if needs_coords and not slide.has_coords]
    other_way = ", or --graph features" if "graph" in options_of(model) else ""
    refuse_slides(without, len(paths), model, other_way)
    warn_of_repetitions(found, len(paths), with_coords=needs_coords)


def sizes_of(inputs: Sequence[FoldInputs]) -> dict[Path, int]:
    """{feature file: bytes that the slide takes in memory}, of all slides of these folds."""
    paths = {slide_id: each.paths[slide_id] for each in inputs for slide_id in each.fold.slides()}
    found = inputs[0].known.found(paths) if inputs else {}
    return {paths[slide_id]: slide.n_bytes for slide_id, slide in found.items()}


def warn_of_repetitions(found: Mapping[str, IndexedSlide], n_slides: int, *, with_coords: bool) -> None:
    """Name slides whose rows repeat themselves in the log, and those whose positions do where these matter.

    Args:
        found: {slide id: what is known of it}.
        n_slides: how many slides there are in all.
        with_coords: whether positions matter.
    """
    values = {slide_id: slide.values for slide_id, slide in found.items() if slide.values is not None}
    rows = {slide_id: each.repeated_rows for slide_id, each in values.items() if each.repeated_rows}
    places = {slide_id: each.repeated_places for slide_id, each in values.items() if each.repeated_places}
    for warning in repetition_warnings(rows, places if with_coords else {}, n_slides):
        logger.warning("warning: %s", warning)


def bags(inputs: FoldInputs, part: str, *, max_patches: int | None = None) -> BagDataset:
    """The cases of one part as bags."""
    cases = inputs.fold.part(part)
    return BagDataset(
        cases, inputs.paths, read_anchors=inputs.anchors.read_slide, max_patches=max_patches, read=inputs.read
    )


def batch_reader(num_workers: int, device: torch.device) -> BatchReader:
    """Reads in threads beside the computation: reading lets go of Python's lock, so no processes are needed."""
    threads = partial(map_in_threads, workers=num_workers) if num_workers else map
    return BatchReader(threads, pin_memory=device.type == "cuda")
