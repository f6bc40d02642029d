"""What tells the features of one extraction from those of another that has the same width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets.slides.features import open_slide, read_header
from datasets.slides.patch_geometry import physical_patch_size
from utils.errors import UserError

N_SLIDES, N_ROWS, N_GEOMETRIES = 24, 64, 4
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


def facts_of(paths: Sequence[Path]) -> FeatureFacts:
    """Facts about the features of these files, from rows of some of them, evenly spaced."""
    lengths = [_mean_length(path) for path in _spaced(paths, N_SLIDES)]
    sizes = [physical_patch_size(read_header(path)) for path in _spaced(paths, N_GEOMETRIES)]
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


def _mean_length(path: Path) -> float:
    with open_slide(path) as slide:
        rows = np.unique(np.linspace(0, slide.n_patches - 1, N_ROWS).astype(np.int64))
        features = slide.load_rows(rows)
    is_finite = features.float().isfinite().all(dim=1)  # whoever reads the slide names the rows that are not
    return float(features[is_finite].double().norm(dim=1).mean()) if is_finite.any() else 0.0


def _spaced(paths: Sequence[Path], number: int) -> list[Path]:
    chosen = np.unique(np.linspace(0, len(paths) - 1, number).astype(np.int64))
    return [paths[index] for index in chosen]
