"""Pictures put together pixel by pixel: a white page with a title, text in the font of the figures, the PNG file."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from utils.files.atomic import atomic_path

# For attention. Made for colour-vision deficiencies (Nunez et al., PLOS ONE 2018); unlike pink and violet stains.
COLOUR_MAP = "cividis"
MARGIN = 16
TEXT_SIZE = 13
LINE = 18
TITLE_SIZE = 16
_TITLE_LINE = 22
_NICE = (1.0, 2.0, 5.0)


@cache
def text_font(size: int) -> ImageFont.FreeTypeFont:
    """The font of the figures, for letters of `size` pixels."""
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)


def new_page(width: int, height: int, title: str) -> tuple[Image.Image, int]:
    """A white page with a title wrapped to its `width` and `height` pixels below it; returns the row they begin at."""
    wrapped = _wrap(title, width - 2 * MARGIN)
    top = MARGIN + _TITLE_LINE * (wrapped.count("\n") + 1) + 6
    page = Image.new("RGB", (width, top + height), "white")
    spacing = _TITLE_LINE - sum(text_font(TITLE_SIZE).getmetrics())
    ImageDraw.Draw(page).multiline_text((MARGIN, MARGIN), wrapped, "black", text_font(TITLE_SIZE), spacing=spacing)
    return page, top


def put_text(page: Image.Image, position: tuple[float, float], text: str, anchor: str = "la") -> None:
    """One line of small text; `anchor` as Pillow has it (`la`: the position is the upper left corner)."""
    ImageDraw.Draw(page).text(position, text, "black", text_font(TEXT_SIZE), anchor)


def save_page(page: Image.Image, path: Path, texts: Mapping[str, str] | None = None) -> None:
    """Write the page as PNG, atomically, with these text chunks."""
    about = PngInfo()
    for name, text in (texts or {}).items():
        about.add_text(name, text)
    with atomic_path(path) as temporary:
        page.save(temporary, format="PNG", optimize=True, pnginfo=about)


def scale_bar_length(width: float) -> float:
    """The length of a scale bar for a picture of `width`, in the same unit: 1, 2 or 5 times a power of ten.

    It is the longest one of at most a quarter of the width.

    >>> [scale_bar_length(width) for width in (4.0, 30.0, 0.9)]
    [1.0, 5.0, 0.2]
    """
    power = 10.0 ** math.floor(math.log10(width / 4))
    return max(step * power for step in _NICE if step * power <= width / 4 * (1 + 1e-9))


def scale_bar(width: int, pixel_size: float, mpp: float | None) -> tuple[int, str]:
    """Length in pixels and label of the scale bar of a map `width` pixels wide, each of `pixel_size` level-0 pixels.

    >>> scale_bar(400, 20.0, 0.5)
    (100, '1 mm')
    >>> scale_bar(400, 20.0, None)
    (100, '2,000 level-0 pixels')
    """
    unit = pixel_size * (mpp / 1000 if mpp is not None else 1.0)  # millimetres, or level-0 pixels, to a pixel
    length = scale_bar_length(width * unit)
    return max(1, round(length / unit)), f"{length:g} mm" if mpp is not None else f"{length:,g} level-0 pixels"


def _wrap(title: str, width: int) -> str:
    """The title in lines that fit into `width` pixels, as few as can be."""
    wrapped = title
    for characters in range(max(map(len, title.split("\n"))), 0, -1):
        wrapped = "\n".join(textwrap.fill(line, characters) for line in title.split("\n"))
        if all(text_font(TITLE_SIZE).getlength(line) <= width for line in wrapped.split("\n")):
            break
    return wrapped
