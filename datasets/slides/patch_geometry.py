"""How large the patches of a slide are in level-0 pixels, and a level-0 pixel in micrometres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from datasets.slides.attributes import level0_mpp
from datasets.slides.features import SlideFeatures, SlideHeader
from datasets.slides.spacing import spacing_by_direction, usual_spacing
from datasets.slides.stamp import MICROMETRES, TILE_MICROMETRES
from utils.command.explanation_options import MICRONS, PIXELS

NO_COORDS = "the feature file has no coords"
BY_SPACING = "spacing of the patches"
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
        doubt: what a reader should know about the size; None where the file or the user tells it, not both another
            one, and patches do not overlap.
    """

    size: int | None
    source: str
    mpp: float | None
    mpp_source: str | None = None
    in_micrometres: bool = False
    doubt: str | None = None


def patch_geometry(slide: SlideFeatures, patch_size: int | None = None) -> PatchGeometry:
    """The sizes that the user or the slide's file gives, or the spacing of its patches.

    The size is, in this order, `patch_size`, the attribute `patch_size_level0` (TRIDENT), `patch_size` times
    `downsample` (CLAM), `tile_size_um` where coordinates are in micrometres (STAMP), or the most frequent distance
    between neighbours in one row or column of patches. That distance is smaller than a patch where patches overlap: it
    is then no size if the file tells of the overlap, and else a size in doubt.

    Args:
        slide: its coordinates and attributes.
        patch_size: side of a patch in level-0 pixels, from the user.
    """
    in_micrometres = MICROMETRES in slide.attributes
    told_scale = level0_mpp(slide.attributes)
    if in_micrometres:
        scale: tuple[float | None, str | None] = (1.0, _IN_MICROMETRES)
    elif told_scale is None or not MICRONS.contain(told_scale[0]):
        scale = (None, None)
    else:
        scale = (told_scale[0], f"attribute {told_scale[1]}")
    size, source, doubt = _size(slide, None if in_micrometres else patch_size)
    if in_micrometres and patch_size is not None:
        doubt = "--patch_size is not used, since it is in level-0 pixels and positions are in micrometres: give --mpp"
    return PatchGeometry(size, source, *scale, in_micrometres, doubt)


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


def _size(slide: SlideFeatures, given: int | None) -> tuple[int | None, str, str | None]:
    """The size, where it comes from, and what is in doubt about it."""
    told = _told_size(slide.attributes)
    if given is not None:
        other = told is not None and round(told[0]) != given
        doubt = f"--patch_size {given} is used, where {told[1]} says {round(told[0])}" if told and other else None
        return given, "--patch_size", doubt
    if told is None:
        return _measured_size(slide)
    size, spacing = round(told[0]), None if slide.coords is None else usual_spacing(slide.coords.cpu().numpy())
    overlapping = spacing is not None and spacing < size
    doubt = f"patches overlap ({size} wide, {spacing} apart): where they do, maps show the one of higher attention"
    return size, told[1], doubt if overlapping else None


def _told_size(known: Mapping[str, float]) -> tuple[float, str] | None:
    """The size that attributes tell, in the unit of the coordinates, and their names."""
    if MICROMETRES in known:
        size, source = known.get(TILE_MICROMETRES, 0), f"attribute {TILE_MICROMETRES}, {_IN_MICROMETRES}"
        return (size, source) if _is_size(size) else None
    if _is_size(known.get("patch_size_level0", 0)):
        return known["patch_size_level0"], "attribute patch_size_level0"
    size = known.get("patch_size", 0) * max(0, known.get("downsample", 0))
    if known.get("patch_size", 0) >= 1 and _is_size(size):
        return size, "attributes patch_size and downsample"
    return None


def _is_size(value: float) -> bool:
    return PIXELS.contain(value)


def _measured_size(slide: SlideFeatures) -> tuple[int | None, str, str | None]:
    if slide.coords is None:
        return None, NO_COORDS, None
    coords = slide.coords.cpu().numpy()
    spacing, by_direction = usual_spacing(coords), spacing_by_direction(coords)
    if spacing is None:
        return None, "no usable attribute tells the size of a patch, and no two patches lie in one row or column", None
    overlap = _told_overlap(slide.attributes, spacing)
    if overlap is not None:
        return None, f"patches overlap ({spacing} apart, {overlap}) and no usable attribute tells their size", None
    along_x, along_y = by_direction
    apart = f"{spacing} apart"
    if along_x is not None and along_y is not None and along_x != along_y:
        apart = f"{along_x} apart along x and {along_y} along y"
    if not PIXELS.contain(spacing):
        return None, f"no usable attribute tells the size of a patch, and patches are {apart}", None
    doubt = f"the size of a patch is taken from their spacing ({apart}), since no usable attribute tells it"
    return spacing, BY_SPACING, f"{doubt}: patches that overlap are larger"


def _told_overlap(known: Mapping[str, float], spacing: int) -> str | None:
    """What says that patches which are `spacing` apart overlap; None without any such attribute.

    A patch covers at least as many level-0 pixels as it has itself: no level is finer than 0.
    """
    if MICROMETRES not in known and known.get("patch_size", 0) > spacing:
        return f"attribute patch_size {known['patch_size']:g}"
    return f"attribute overlap {known['overlap']:g}" if known.get("overlap", 0) > 0 else None
