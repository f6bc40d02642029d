"""How large the patches of a slide are in level-0 pixels, and a level-0 pixel in micrometres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from datasets.slides.attributes import level0_mpp
from datasets.slides.features import SlideFeatures, SlideHeader
from datasets.slides.spacing import usual_spacing
from datasets.slides.stamp import MICROMETRES, TILE_MICROMETRES

_IN_MICROMETRES = "coordinates in micrometres"


class PatchGeometry(NamedTuple):
    """Sizes of a slide's patches.

    Attributes:
        size: side of a patch in level-0 pixels; None where nothing tells.
        source: where the size comes from, or why there is none, in words.
        mpp: micrometres per level-0 pixel; None where the file does not say.
        mpp_source: what says it.
        in_micrometres: coordinates and size are in micrometres, since the file does not tell those of a pixel; `mpp` is
            then 1. They fit no image of the slide.
    """

    size: int | None
    source: str
    mpp: float | None
    mpp_source: str | None = None
    in_micrometres: bool = False


def patch_geometry(slide: SlideFeatures) -> PatchGeometry:
    """The sizes that the slide's file gives, or the spacing of its patches.

    The size is, in this order, the attribute `patch_size_level0` (TRIDENT), `patch_size` times `downsample` (CLAM),
    `tile_size_um` where coordinates are in micrometres (STAMP), or the most frequent distance between neighbours in one
    row or column of patches.
    """
    in_micrometres = MICROMETRES in slide.attributes
    if in_micrometres:
        scale: tuple[float | None, str | None] = (1.0, _IN_MICROMETRES)
    else:
        told = level0_mpp(slide.attributes)
        scale = (None, None) if told is None else (told[0], f"attribute {told[1]}")
    size, source = _told_size(slide.attributes) or _measured_size(slide)
    return PatchGeometry(None if size is None else round(size), source, *scale, in_micrometres)


def physical_patch_size(slide: SlideFeatures | SlideHeader) -> float | None:
    """Micrometres of a patch's side, where the attributes of the file tell the size and the scale; None otherwise."""
    size, scale = _told_size(slide.attributes), level0_mpp(slide.attributes)
    if MICROMETRES in slide.attributes:
        return None if size is None else size[0]
    return None if size is None or scale is None else size[0] * scale[0]


def in_level0_pixels(slide: SlideFeatures, mpp: float) -> SlideFeatures:
    """The slide with its coordinates in level-0 pixels of `mpp` micrometres; as it is where they are pixels already."""
    if MICROMETRES not in slide.attributes or slide.coords is None:
        return slide
    attributes = {name: value for name, value in slide.attributes.items() if name != MICROMETRES}
    if TILE_MICROMETRES in attributes:
        attributes["patch_size_level0"] = attributes[TILE_MICROMETRES] / mpp
    return replace(slide, coords=(slide.coords / mpp).round().to(slide.coords.dtype), attributes=attributes)


def _told_size(known: Mapping[str, float]) -> tuple[float, str] | None:
    """The size that attributes tell, in the unit of the coordinates, and their names."""
    if MICROMETRES in known:
        size = known.get(TILE_MICROMETRES, 0)
        return (size, f"attribute {TILE_MICROMETRES}, {_IN_MICROMETRES}") if size >= 1 else None
    if known.get("patch_size_level0", 0) >= 1:
        return known["patch_size_level0"], "attribute patch_size_level0"
    if known.get("patch_size", 0) >= 1 and known.get("downsample", 0) > 0:
        return known["patch_size"] * known["downsample"], "attributes patch_size and downsample"
    return None


def _measured_size(slide: SlideFeatures) -> tuple[float | None, str]:
    if slide.coords is None:
        return None, "the feature file has no coords"
    spacing = usual_spacing(slide.coords.cpu().numpy())
    if spacing is None:
        return None, "no attribute tells the size of a patch, and no two patches lie in one row or column"
    return spacing, "spacing of the patches"
