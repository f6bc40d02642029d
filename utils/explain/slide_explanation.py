"""What is written of an explained slide, `fold{k}/explain/{slide_id}/`: tables, maps, overlays on its image."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from datasets.slides.patch_geometry import NO_COORDS
from datasets.slides.row_doubts import repeated_places
from utils.errors import UserError
from utils.explain.anchor_colours import anchor_colours
from utils.explain.contact_sheet import draw_anchor_patches, draw_attended_patches
from utils.explain.geojson import write_geojson
from utils.explain.map_picture import draw_anchor_maps, draw_attention_map
from utils.explain.overlay import draw_overlay
from utils.explain.patch_raster import patch_raster
from utils.explain.patch_table import patch_table, stages_of, write_patches
from utils.explain.slide_facts import SLIDE_FACTS, write_slide_facts
from utils.explain.slide_image import bounds_origin, find_slide_image, microns_per_pixel, open_slide_image

OVERLAYS = ("overlay.png", "attended_patches.png", "anchor_patches.png")
FILES = (SLIDE_FACTS, "patches.csv", "attention.png", "anchors.png", "slide.geojson", *OVERLAYS)


@dataclass(frozen=True)
class SlideExplanation:
    """What a model made of the M patches of a slide, and where they lie.

    Attributes:
        slide_id: the slide.
        case_id: the case that the attention was shared in.
        attention: (M,), each patch's share of its case's attention.
        nearest: (M,) the nearest anchor in feature space; None for models without anchors.
        distance: (M,) Euclidean, to it.
        colours: (K, 3) uint8 of these anchors, see `utils.explain.anchor_colours.similar_colours`.
        anchors: (M, L) the anchor chosen in each stage; None where patches choose none.
        coords: (M, 2) upper left corners in level-0 pixels; None where the feature file has none.
        patch_size: side of a patch in level-0 pixels; None where nothing tells.
        patch_size_source: where that comes from, or why there is none.
        mpp: microns per level-0 pixel; None where it is not known.
        mpp_source: where that comes from; None where it is not known.
        in_micrometres: coordinates and patch size are in micrometres, `mpp` is 1: they fit no image of the slide.
        patch_size_doubt: what a reader should know about the patch size; None for nothing.
    """

    slide_id: str
    case_id: str
    attention: np.ndarray
    nearest: np.ndarray | None
    distance: np.ndarray | None
    colours: np.ndarray | None
    anchors: np.ndarray | None
    coords: np.ndarray | None
    patch_size: int | None
    patch_size_source: str
    mpp: float | None
    mpp_source: str | None
    in_micrometres: bool = False
    patch_size_doubt: str | None = None

    @property
    def title(self) -> str:
        """What pictures of the slide are called."""
        return self.slide_id if self.case_id == self.slide_id else f"{self.slide_id}, case {self.case_id}"


def write_slide_explanation(
    folder: Path, slide: SlideExplanation, *, geojson: str = "patches", slides_dir: Path | None = None
) -> list[str]:
    """Write `patches.csv`, and where there are coordinates the maps, `slide.geojson` and overlays; last `slide.json`.

    What an earlier explanation of the slide left is removed first. Coordinates in micrometres become level-0 pixels
    where the image of the slide tells its scale; otherwise there is no overlay and no `slide.geojson`.

    Args:
        folder: of the slide.
        slide: what to write.
        geojson: `patches` or `regions`, see `utils.explain.geojson`.
        slides_dir: where an image of the slide is looked for, `{slide_id}.svs` or of another known ending.

    Returns:
        Sentences on what could not be written, for the log.
    """
    slide = _in_pixels_of_image(slide, slides_dir)
    table = patch_table(
        slide.attention, coords=slide.coords, nearest=slide.nearest, distance=slide.distance, anchors=slide.anchors
    )
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    write_patches(folder / "patches.csv", table)
    files, mpp, mpp_source, no_map = ["patches.csv"], slide.mpp, slide.mpp_source, _why_no_map(slide)
    notes = [note for note in (no_map, slide.patch_size_doubt, _repeated_positions(slide)) if note is not None]
    origin = (0, 0)
    if no_map is None and slide.coords is not None and slide.patch_size is not None:
        if slide.in_micrometres:
            notes.append(
                "no overlay and no slide.geojson, since the feature file gives positions in micrometres, and neither "
                "it nor an image of the slide tells those of a pixel: give --mpp"
            )
        elif slides_dir is not None:
            try:
                of_image, origin = _write_overlays(folder, slide, table, slide.coords, slide.patch_size, slides_dir)
            except UserError as error:  # an image that cannot be opened costs its own overlay, not the other slides
                notes.append(f"no overlay, since {error}")
            else:
                files += [name for name in OVERLAYS if (folder / name).exists()]
                notes += _two_scales(mpp, of_image)
                if mpp is None and of_image is not None:
                    mpp, mpp_source = of_image, "slide image"
        files += _write_maps(folder, slide, table, slide.coords, slide.patch_size, mpp)
        if not slide.in_micrometres:
            path, colours = folder / "slide.geojson", slide.colours
            write_geojson(path, table, slide.patch_size, kind=geojson, colours=colours, origin=origin)
            files.append("slide.geojson")
            notes += _other_origin(origin)
    write_slide_facts(
        folder,
        slide_id=slide.slide_id,
        case_id=slide.case_id,
        n_patches=len(table),
        patch_size_level0=slide.patch_size,
        patch_size_source=slide.patch_size_source,
        mpp=mpp,
        mpp_source=mpp_source,
        no_map=no_map,
        files=files,
        patch_size_doubt=slide.patch_size_doubt,
        geojson_origin=origin,
    )
    return notes


def _why_no_map(slide: SlideExplanation) -> str | None:
    """Why there is no map of a slide; None where there can be one."""
    if slide.coords is None:
        return f"no map, since {NO_COORDS}"
    if slide.patch_size is None:
        units = "--mpp and --patch_size" if slide.in_micrometres else "--patch_size"
        return f"no map, since {slide.patch_size_source}: give {units}"
    return None


def _repeated_positions(slide: SlideExplanation) -> str | None:
    """A sentence where most patches lie where another one does; None otherwise."""
    places = None if slide.coords is None else repeated_places(slide.coords)
    return None if places is None else f"{places}: are these the coordinates of the patches?"


def _in_pixels_of_image(slide: SlideExplanation, slides_dir: Path | None) -> SlideExplanation:
    """The slide in level-0 pixels, if it is in micrometres and its image tells the scale; otherwise as it is."""
    if not slide.in_micrometres or slides_dir is None or slide.coords is None or slide.patch_size is None:
        return slide
    try:
        path = find_slide_image(slides_dir, slide.slide_id)
        with nullcontext() if path is None else open_slide_image(path) as image:
            mpp = None if image is None else microns_per_pixel(image)
    except UserError:  # the note that there is no overlay says what is missing
        mpp = None
    if mpp is None:
        return slide
    return replace(
        slide,
        coords=np.rint(slide.coords / mpp).astype(np.int64),
        patch_size=max(1, round(slide.patch_size / mpp)),
        mpp=mpp,
        mpp_source="slide image",
        in_micrometres=False,
    )


def _write_maps(
    folder: Path, slide: SlideExplanation, table: pd.DataFrame, coords: np.ndarray, patch_size: int, mpp: float | None
) -> list[str]:
    attention, percentile = table["attention"].to_numpy(), table["percentile"].to_numpy()
    raster = patch_raster(coords, patch_size, attention)
    draw_attention_map(folder / "attention.png", raster, attention, percentile, mpp=mpp, title=slide.title)
    assignments = {}
    if slide.nearest is not None:
        colours = anchor_colours(slide.nearest, slide.colours)
        assignments["nearest anchor (similar colours: similar anchors)"] = slide.nearest, colours
    for number, name in enumerate(stages_of(table), start=1):
        chosen = table[name].to_numpy()
        assignments[f"anchor chosen in stage {number} (colours of this map only)"] = chosen, anchor_colours(chosen)
    if not assignments:
        return ["attention.png"]
    draw_anchor_maps(folder / "anchors.png", raster, assignments, mpp=mpp, title=slide.title)
    return ["attention.png", "anchors.png"]


def _write_overlays(
    folder: Path, slide: SlideExplanation, table: pd.DataFrame, coords: np.ndarray, patch_size: int, slides_dir: Path
) -> tuple[float | None, tuple[int, int]]:
    """Write what is laid over the slide's image.

    Returns:
        The microns per level-0 pixel that the image tells, and where the region begins that QuPath shows of it.

    Raises:
        UserError: no image of the slide, one that cannot be read, or that does not fit its patches.
    """
    path = find_slide_image(slides_dir, slide.slide_id)
    if path is None:
        raise UserError(f"{slides_dir} holds no image of this slide")
    attention, title = table["attention"].to_numpy(), slide.title
    with open_slide_image(path) as image:
        of_image = microns_per_pixel(image)
        mpp = slide.mpp or of_image
        place = image, coords, patch_size
        draw_overlay(folder / "overlay.png", *place, table["percentile"].to_numpy(), mpp=mpp, title=title)
        draw_attended_patches(folder / "attended_patches.png", *place, attention, slide.nearest, title=title)
        if slide.nearest is not None and slide.distance is not None:
            draw_anchor_patches(folder / "anchor_patches.png", *place, slide.nearest, slide.distance, title=title)
        return of_image, bounds_origin(image)


def _other_origin(origin: tuple[int, int]) -> list[str]:
    """A sentence where `slide.geojson` is not counted from the corner of level 0."""
    if origin == (0, 0):
        return []
    x, y = origin
    return [f"slide.geojson is counted from ({x}, {y}), where the slide's bounds begin, to which QuPath crops it"]


def _two_scales(mpp: float | None, of_image: float | None) -> list[str]:
    """A sentence where the slide's image says another scale than the one used; 5 % are a matter of calibration."""
    if mpp is None or of_image is None or abs(mpp / of_image - 1) <= 0.05:
        return []
    return [f"the scale bar uses {mpp:g} microns per level-0 pixel, while the slide image says {of_image:g}"]
