"""`attention.png` and `anchors.png`: maps of a slide's patches, drawn from their coordinates alone.

The pixels of a map are those of `utils.explain.patch_raster`, unchanged: no interpolation, no smoothing. Where they lie
in the picture stands in its PNG text chunk `maps`, as JSON: for each map `name`, `left`, `top`, `width`, `height` in
pixels, `origin` (x, y) in level-0 pixels and `pixel_size` in level-0 pixels a pixel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from utils.explain.anchor_colours import AnchorColours
from utils.explain.canvas import COLOUR_MAP, LINE, MARGIN, new_page, put_text, save_page, scale_bar
from utils.explain.patch_raster import PatchRaster

_PAPER = (255, 255, 255)
_GAP, _LEGEND, _SWATCH_LINE = 20, 190, 22
_PLACE = (64, 44)  # pixels of the small map of an anchor in the legend, at most
_ALIKE = 60.0  # distance in sRGB, 0 to 441
_OTHERS = 0xDC
_COLUMNS = 2


@dataclass(frozen=True)
class Panel:
    """One map (H, W, 3) uint8 with its name, and the legend at its right."""

    name: str
    pixels: np.ndarray
    legend: Image.Image


def attention_colours(percentile: np.ndarray) -> np.ndarray:
    """(M, 3) uint8: 256 colours for percentiles 0 to 100, the same for every slide."""
    table = (matplotlib.colormaps[COLOUR_MAP](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    return table[np.minimum(percentile * 2.56, 255).astype(np.int64)]


def painted(raster: PatchRaster, colours: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: each pixel in the colour (M, 3) of its patch, white where there is none."""
    with_paper = np.concatenate([colours, np.array([_PAPER], dtype=np.uint8)])  # patch -1 is the last entry
    return with_paper[raster.patch]


def draw_attention_map(
    path: Path, raster: PatchRaster, attention: np.ndarray, percentile: np.ndarray, *, mpp: float | None, title: str
) -> None:
    """Write the percentile of each patch's attention as PNG; the legend says how much the most attended ones hold."""
    top = max(1, round(len(attention) / 100))
    held = np.sort(attention)[-top:].sum() / attention.sum() if attention.sum() > 0 else 0.0
    patches, verb = ("1 patch", "holds") if top == 1 else (f"{top:,} patches", "hold")
    lines = ("percentile in the slide", "", f"the top 1 % ({patches})", f"{verb} {100 * held:.0f} % of its attention")
    panel = Panel("attention", painted(raster, attention_colours(percentile)), _bar(lines))
    _write(path, [panel], raster, mpp=mpp, title=title)


def draw_anchor_maps(
    path: Path,
    raster: PatchRaster,
    assignments: Mapping[str, tuple[np.ndarray, AnchorColours]],
    *,
    mpp: float | None,
    title: str,
) -> None:
    """Write a map for each assignment {name: (M,) anchors, and their colours} as PNG.

    Where colours of the legend look alike, each anchor has a small map of its own there.
    """
    panels = [
        Panel(name, painted(raster, colours.table[assignment]), _legend_of(raster, assignment, colours))
        for name, (assignment, colours) in assignments.items()
    ]
    _write(path, panels, raster, mpp=mpp, title=title)


def _write(path: Path, panels: Sequence[Panel], raster: PatchRaster, *, mpp: float | None, title: str) -> None:
    """Panels beside and below each other, the scale bar below all."""
    height, width = raster.patch.shape
    cell = width + _GAP + _LEGEND, max(height, *(panel.legend.height for panel in panels)) + LINE + _GAP
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    page, header = new_page(columns * (cell[0] + _GAP) - _GAP + 2 * MARGIN, rows * cell[1] + 3 * LINE, title)
    placed: list[dict[str, Any]] = []
    for number, panel in enumerate(panels):
        left = MARGIN + number % columns * (cell[0] + _GAP)
        top = header + number // columns * cell[1]
        put_text(page, (left, top), panel.name)
        page.paste(Image.fromarray(panel.pixels), (left, top + LINE))
        page.paste(panel.legend, (left + width + _GAP, top + LINE))
        place = {"name": panel.name, "left": left, "top": top + LINE, "width": width, "height": height}
        placed.append(place | {"origin": list(raster.origin), "pixel_size": raster.pixel_size})
    length, label = scale_bar(width, raster.pixel_size, mpp)
    bottom = page.height - 2 * LINE
    ImageDraw.Draw(page).rectangle((MARGIN, bottom, MARGIN + length - 1, bottom + 4), fill="black")
    put_text(page, (MARGIN, bottom + 8), label)
    save_page(page, path, {"maps": json.dumps(placed)})


def _bar(lines: Sequence[str]) -> Image.Image:
    """The colour bar of percentiles, high at the top, and lines of text below it."""
    height = 150
    image = Image.new("RGB", (_LEGEND, height + 24 + len(lines) * LINE), "white")
    percent = np.linspace(100, 0, height)
    image.paste(Image.fromarray(np.repeat(attention_colours(percent)[:, None], 20, axis=1)), (0, 6))
    for value in (100, 75, 50, 25, 0):
        at = 6 + round((100 - value) / 100 * (height - 1))
        ImageDraw.Draw(image).line((20, at, 24, at), fill="black")
        put_text(image, (30, at), str(value), "lm")
    for number, line in enumerate(lines):
        put_text(image, (0, height + 20 + number * LINE), line)
    return image


def _legend_of(raster: PatchRaster, assignment: np.ndarray, colours: AnchorColours) -> Image.Image:
    """A line for each of the most frequent anchors: colour, number, share of the patches, and where these lie."""
    with_places = _look_alike(colours)
    line = _PLACE[1] + 8 if with_places else _SWATCH_LINE
    image = Image.new("RGB", (_LEGEND, len(colours.named) * line + _SWATCH_LINE), "white")
    for number, (anchor, share) in enumerate(zip(colours.named, colours.shares, strict=True)):
        top, middle = number * line, number * line + line // 2
        ImageDraw.Draw(image).rectangle((0, middle - 7, 14, middle + 7), fill=colours.of(anchor))
        put_text(image, (22, middle), f"anchor {anchor}: {_percent(share)}", "lm")
        if with_places:
            place = _place_of(raster, assignment == anchor)
            image.paste(place, (_LEGEND - _PLACE[0] + (_PLACE[0] - place.width) // 2, top + (line - place.height) // 2))
    if colours.n_others:
        rest = _percent(1 - sum(colours.shares))
        text = f"{colours.n_others} {'other' if colours.n_others == 1 else 'others'}: {rest}"
        put_text(image, (22, len(colours.named) * line + 9), text, "lm")
    return image


def _look_alike(colours: AnchorColours) -> bool:
    """Whether two of the colours that the legend names are hard to tell apart."""
    named = colours.table[list(colours.named)].astype(np.float64)
    apart = np.linalg.norm(named[:, None] - named[None], axis=2)[np.triu_indices(len(named), k=1)]
    return bool((apart < _ALIKE).any())


def _place_of(raster: PatchRaster, is_own: np.ndarray) -> Image.Image:
    """A small map: patches (M,) that are the anchor's own in black, the others in light grey."""
    height, width = raster.patch.shape
    scale = min(_PLACE[0] / width, _PLACE[1] / height)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = np.full(size, 255, dtype=np.uint8)
    rows, columns = np.nonzero(raster.patch >= 0)
    own = is_own[raster.patch[rows, columns]]
    at = rows * size[0] // height, columns * size[1] // width
    small[at] = _OTHERS
    small[at[0][own], at[1][own]] = 0  # last: a single patch is never covered
    return Image.fromarray(small).convert("RGB")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "<1 %"
