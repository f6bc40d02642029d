"""`attention.png` and `anchors.png`: maps of a slide's patches, drawn from their coordinates alone.

The pixels of a map are those of `utils.explain.patch_raster`, unchanged: no interpolation, no smoothing. Where they lie
in the picture stands in its PNG text chunk `maps`, as JSON: for each map `name`, `left`, `top`, `width`, `height` in
pixels, `origin` (x, y) in level-0 pixels and `pixel_size` in level-0 pixels a pixel.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from utils.atomic import atomic_path
from utils.explain.anchor_colours import AnchorColours, anchor_colours
from utils.explain.patch_raster import PatchRaster

ATTENTION_MAP = "viridis"
_PAPER, _INK, _MUTED = (255, 255, 255), (26, 26, 26), (95, 95, 95)
_MARGIN, _GAP, _LINE, _LEGEND = 24, 20, 24, 190
_COLUMNS = 2


@dataclass(frozen=True)
class Panel:
    """One map (H, W, 3) uint8 with its name, and the legend at its right."""

    name: str
    pixels: np.ndarray
    legend: Image.Image


def attention_colours(percentile: np.ndarray) -> np.ndarray:
    """(M, 3) uint8: 256 colours for percentiles 0 to 100, the same for every slide."""
    table = (matplotlib.colormaps[ATTENTION_MAP](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
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
    patches = "1 patch holds" if top == 1 else f"{top:,} patches hold"
    lines = ("The top 1 % or", f"{patches}", f"{100 * held:.0f} % of the slide's", "attention.")
    panel = Panel("attention, percentile in the slide", painted(raster, attention_colours(percentile)), _bar(lines))
    _write(path, [panel], raster, mpp=mpp, title=title)


def draw_anchor_maps(
    path: Path, raster: PatchRaster, assignments: dict[str, np.ndarray], *, mpp: float | None, title: str
) -> None:
    """Write a map for each assignment {name: (M,) anchors} as PNG, each with colours for its most frequent anchors."""
    panels = []
    for name, assignment in assignments.items():
        colours = anchor_colours(assignment)
        panels.append(Panel(name, painted(raster, colours.of_all(assignment)), _swatches(colours)))
    _write(path, panels, raster, mpp=mpp, title=title)


def scale_bar(width: int, pixel_size: float, mpp: float | None) -> tuple[int, str]:
    """Length in pixels and label of a bar of 1, 2 or 5 times a power of ten, at most a third of a map.

    >>> scale_bar(300, 20.0, 0.5)
    (100, '1 mm')
    >>> scale_bar(300, 20.0, None)
    (100, '2,000 level-0 px')
    """
    unit = pixel_size * (mpp / 1000 if mpp is not None else 1.0)  # millimetres, or level-0 pixels, to a pixel
    longest = max(width / 3, 1.0) * unit
    power = 10.0 ** np.floor(np.log10(longest))
    length = next(step * power for step in (5, 2, 1) if step * power <= longest * (1 + 1e-9))
    label = f"{length:g} mm" if mpp is not None else f"{length:,g} level-0 px"
    return max(1, round(length / unit)), label


def _write(path: Path, panels: Sequence[Panel], raster: PatchRaster, *, mpp: float | None, title: str) -> None:
    height, width = raster.patch.shape
    cell = width + _GAP + _LEGEND, max(height, panels[0].legend.height) + _LINE
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    header = _MARGIN + int(1.6 * _LINE)
    page_width = max(
        columns * cell[0] + (columns - 1) * _GAP + 2 * _MARGIN, int(_font(19).getlength(title)) + 2 * _MARGIN
    )
    page = Image.new("RGB", (page_width, header + rows * (cell[1] + _GAP) + 2 * _LINE + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _MARGIN), title, fill=_INK, font=_font(19))
    placed: list[dict[str, Any]] = []
    for number, panel in enumerate(panels):
        left = _MARGIN + number % columns * (cell[0] + _GAP)
        top = header + number // columns * (cell[1] + _GAP)
        draw.text((left, top), panel.name, fill=_INK, font=_font(15))
        page.paste(Image.fromarray(panel.pixels), (left, top + _LINE))
        page.paste(panel.legend, (left + width + _GAP, top + _LINE))
        place = {"name": panel.name, "left": left, "top": top + _LINE, "width": width, "height": height}
        placed.append(place | {"origin": list(raster.origin), "pixel_size": raster.pixel_size})
    length, label = scale_bar(width, raster.pixel_size, mpp)
    bottom = page.height - _MARGIN - _LINE
    draw.rectangle((_MARGIN, bottom, _MARGIN + length - 1, bottom + 4), fill=_INK)
    draw.text((_MARGIN, bottom + 8), label, fill=_INK, font=_font(15))
    about = PngInfo()
    about.add_text("maps", json.dumps(placed))
    with atomic_path(path) as temporary:
        page.save(temporary, format="PNG", optimize=True, pnginfo=about)


def _bar(lines: Sequence[str]) -> Image.Image:
    """The colour bar of percentiles, high at the top, and lines of text below it."""
    image, height, font = Image.new("RGB", (_LEGEND, 200 + 5 * _LINE), _PAPER), 180, _font(15)
    percent = np.linspace(100, 0, height)
    image.paste(Image.fromarray(np.repeat(attention_colours(percent)[:, None], 22, axis=1)), (0, 6))
    draw = ImageDraw.Draw(image)
    for value in (100, 75, 50, 25, 0):
        at = 6 + round((100 - value) / 100 * (height - 1))
        draw.line((22, at, 27, at), fill=_INK)
        draw.text((32, at), f"{value}", fill=_INK, font=font, anchor="lm")
    draw.text((70, 6 + height // 2), "percentile", fill=_MUTED, font=font, anchor="lm")
    for number, line in enumerate(lines):
        draw.text((0, 200 + number * 20), line, fill=_MUTED, font=_font(14))
    return image


def _swatches(colours: AnchorColours) -> Image.Image:
    """A line for each anchor with a colour of its own: number and share of the slide's patches."""
    lines = [
        (colours.of(k), f"anchor {k}: {_percent(s)}") for k, s in zip(colours.anchors, colours.shares, strict=True)
    ]
    if colours.n_others:
        rest = 1 - sum(colours.shares)
        lines.append((colours.of(-1), f"{colours.n_others} others: {_percent(rest)}"))
    image = Image.new("RGB", (_LEGEND, (len(lines) + 1) * _LINE), _PAPER)
    draw = ImageDraw.Draw(image)
    for number, (colour, text) in enumerate(lines):
        top = number * _LINE
        draw.rectangle((0, top + 3, 15, top + 18), fill=colour)
        draw.text((24, top + 11), text, fill=_INK, font=_font(15), anchor="lm")
    return image


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "<1 %"


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Matplotlib's own letters, which are on every machine."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)
