"""What tells the features of one extraction from those of another that has the same width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import open_slide, read_header
from datasets.slides.patch_geometry import physical_patch_size
from datasets.slides.slide_values import mean_length, rows_for_length
from utils.errors import UserError

N_SLIDES, N_GEOMETRIES = 24, 4
OTHER_SCALE = 2.0  # scanners and stains change the mean length by some percent, another scale by orders of magnitude
OTHER_SIZE = 1.2  # between 224 and 256 pixels lies 1.14, between two magnifications 2


@dataclass(frozen=True)
class FeatureFacts:
    """Facts about the features of a cohort, from a sample of its slides.

    Attributes:
        mean_length: mean Euclidean length of the features of a patch.
        patch_um: side of a patch in micrometres; None where the files do not tell it.
    """

    mean_length: float
    patch_um: float | None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> FeatureFacts | None:
        """The inverse of `to_json`; None for records that do not have them."""
        return None if not value else cls(float(value["mean_length"]), value.get("patch_um"))


def facts_of(paths: Sequence[Path], index: FeatureIndex) -> FeatureFacts:
    """Facts about the features of these files, from rows of some of them, evenly spaced; from their index if it can."""
    lengths = [_mean_length(path, index) for path in _spaced(paths, N_SLIDES)]
    sizes = [_patch_size(path, index) for path in _spaced(paths, N_GEOMETRIES)]
    known = [size for size in sizes if size is not None]
    return FeatureFacts(float(np.mean(lengths)), float(np.median(known)) if known else None)


def check_same_scale(found: FeatureFacts, trained: FeatureFacts) -> None:
    """Check that features are on the scale of those that a model was trained on.

    Raises:
        UserError: for features that are much longer or shorter, or patches of another size.
    """
    low, high = trained.mean_length / OTHER_SCALE, trained.mean_length * OTHER_SCALE
    if not low <= found.mean_length <= high:
        raise UserError(
            f"the features of a patch have length {found.mean_length:.3g} on average, those that the model was trained "
            f"on {trained.mean_length:.3g}: expected features of the same encoder on the same scale, as it wrote them"
        )
    if found.patch_um is None or trained.patch_um is None:
        return
    ratio = found.patch_um / trained.patch_um
    if not 1 / OTHER_SIZE < ratio < OTHER_SIZE:
        raise UserError(
            f"the patches have sides of {found.patch_um:.4g} micrometres, those that the model was trained on "
            f"{trained.patch_um:.4g}: extract the features from patches of that size"
        )


def _mean_length(path: Path, index: FeatureIndex) -> float:
    known = index.known(path)
    if known is not None and known.values is not None:
        return known.values.mean_length
    with open_slide(path) as slide:
        return mean_length(slide.load_rows(rows_for_length(slide.n_patches)))


def _patch_size(path: Path, index: FeatureIndex) -> float | None:
    known = index.known(path)
    if known is not None and known.values is not None:
        return known.values.patch_um
    return physical_patch_size(read_header(path))


def _spaced(paths: Sequence[Path], number: int) -> list[Path]:
    chosen = np.unique(np.linspace(0, len(paths) - 1, number).astype(np.int64))
    return [paths[index] for index in chosen]
