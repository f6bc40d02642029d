"""Pictures put together pixel by pixel: a white page with a title, text in the font of the figures, the PNG file."""

from __future__ import annotations

import textwrap
from functools import cache
from pathlib import Path

from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from utils.atomic import atomic_path

MARGIN = 16
TEXT_SIZE = 13
LINE = 18
TITLE_SIZE = 16
_TITLE_LINE = 22


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


def save_page(page: Image.Image, path: Path) -> None:
    """Write the page as PNG, atomically."""
    with atomic_path(path) as temporary:
        page.save(temporary, format="PNG", optimize=True)


def _wrap(title: str, width: int) -> str:
    """The title in lines that fit into `width` pixels, as few as can be."""
    wrapped = title
    for characters in range(max(map(len, title.split("\n"))), 0, -1):
        wrapped = "\n".join(textwrap.fill(line, characters) for line in title.split("\n"))
        if all(text_font(TITLE_SIZE).getlength(line) <= width for line in wrapped.split("\n")):
            break
    return wrapped
