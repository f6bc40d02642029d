"""How large the patches of a slide are in level-0 pixels, and a level-0 pixel in microns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from datasets.slides.features import SlideFeatures

_MICRONS = ("mpp", "level0_mpp", "mpp_level0")


class PatchGeometry(NamedTuple):
    """Sizes of a slide's patches.

    Attributes:
        size: side of a patch in level-0 pixels; None where nothing tells.
        source: where the size comes from, or why there is none, in words.
        mpp: microns per level-0 pixel; None where the file does not say.
        mpp_source: the attribute that says it.
    """

    size: int | None
    source: str
    mpp: float | None
    mpp_source: str | None = None


def patch_geometry(slide: SlideFeatures) -> PatchGeometry:
    """The sizes that the slide's file gives, or the spacing of its patches.

    The size is, in this order, the attribute `patch_size_level0` (TRIDENT), `patch_size` times `downsample` (CLAM), or
    the most frequent distance between neighbours in one row or column of patches (the smallest one of a tie; the
    smallest of all would often be the gap between two pieces of tissue with grids of their own).
    """
    known = slide.attributes
    told = next((name for name in _MICRONS if known.get(name, 0) > 0), None)
    scale = (None, None) if told is None else (known[told], f"attribute {told}")
    if known.get("patch_size_level0", 0) >= 1:
        return PatchGeometry(round(known["patch_size_level0"]), "attribute patch_size_level0", *scale)
    if known.get("patch_size", 0) >= 1 and known.get("downsample", 0) > 0:
        size = round(known["patch_size"] * known["downsample"])
        return PatchGeometry(size, "attributes patch_size and downsample", *scale)
    if slide.coords is None:
        return PatchGeometry(None, "the feature file has no coords", *scale)
    spacing = usual_spacing(slide.coords.cpu().numpy())
    if spacing is None:
        return PatchGeometry(
            None, "no attribute tells the size of a patch, and no two patches lie in one row or column", *scale
        )
    return PatchGeometry(spacing, "spacing of the patches", *scale)


def usual_spacing(coords: np.ndarray) -> int | None:
    """The most frequent distance between neighbours among patches (M, 2) of one row or column; None without any.

    >>> usual_spacing(np.array([[0, 0], [448, 0], [896, 0], [900, 448]]))
    448
    """
    gaps = []
    for across, along in ((1, 0), (0, 1)):
        order = np.lexsort((coords[:, along], coords[:, across]))
        steps = np.diff(coords[order], axis=0)
        gaps.append(steps[(steps[:, across] == 0) & (steps[:, along] > 0), along])
    sizes, counts = np.unique(np.concatenate(gaps), return_counts=True)
    return int(sizes[counts.argmax()]) if len(sizes) else None
