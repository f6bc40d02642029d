"""SVG as text: elements, short numbers, and letters that are measured without a font."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from utils.files.short_names import shortened

LETTER = 13.0  # units of a 480 units wide picture: 9 px where it is shown 340 px wide
_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[]- "), frozenset("mwMW%@—…")
_MARKS = {  # around (0, 0), about as large as a circle of radius 4
    "circle": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "square": "M-3.5-3.5h7v7h-7z",
    "diamond": "M0-5l5 5l-5 5l-5-5z",
    "triangle": "M0-5l5 8.5h-10z",
    "down": "M0 5l5-8.5h-10z",
    "plus": "M-1.5-5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z",
    "hourglass": "M-4.5-4.5h9l-9 9h9z",
    "bar": "M-1.5-5h3v10h-3z",
}
SHAPES = tuple(_MARKS)


def tag(name: str, content: str = "", **attributes: object) -> str:
    """An element; `class_` and `data_tip` become `class` and `data-tip`, None is left out, text is escaped.

    >>> tag("rect", x=1.25, class_="cell", rx=None)
    '<rect x="1.2" class="cell"/>'
    """
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text(
    x: float, y: float, words: str, *, width: float | None = None, shown: str | None = None, **attributes: object
) -> str:
    """Words at (x, y) on their baseline, their middle cut out to fit `width` units, or as in `shown`.

    The whole is in `<title>` where it is not shown.
    """
    if shown is None:
        shown = words if width is None else shortened(words, fitting(width))
    whole = tag("title", escape(words)) if shown != words else ""
    return tag("text", escape(shown) + whole, x=x, y=y, **attributes)


def short(value: float | np.ndarray) -> str:
    """A coordinate with one decimal at most.

    >>> short(12.04), short(-0.04), short(3.26)
    ('12', '0', '3.3')
    """
    rounded = round(float(value), 1)
    return str(int(rounded)) if rounded == int(rounded) else str(rounded)


def text_width(words: str, letter: float = LETTER) -> float:
    """About the width of a text whose letters are `letter` units high, in a wide sans serif face (DejaVu Sans)."""
    widths = (
        0.37 if character in _NARROW else 0.95 if character in _WIDE else 0.72 if character.isupper() else 0.62
        for character in words
    )
    return letter * sum(widths)


def fitting(width: float, letter: float = LETTER) -> Callable[[str], bool]:
    """Whether a text is at most `width` units wide, for `utils.files.short_names`."""
    return lambda words: text_width(words, letter) <= width


def mark(shape: int, x: float, y: float, **attributes: Any) -> str:
    """The shape of series `shape` at (x, y); eight differ, and those after them are shifted against the colours."""
    return tag(
        "path",
        d=_MARKS[SHAPES[(shape + shape // len(SHAPES)) % len(SHAPES)]],
        transform=f"translate({short(x)} {short(y)})",
        **attributes,
    )


def line_path(x: np.ndarray, y: np.ndarray) -> str:
    """Straight lines through the points (n,), broken where a value is NaN."""
    parts, pen_down = [], False
    for one_x, one_y in zip(x, y, strict=True):
        if math.isnan(one_x) or math.isnan(one_y):
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{short(one_x)} {short(one_y)}")
        pen_down = True
    return "".join(parts)


def step_path(x: np.ndarray, y: np.ndarray, end: float | None = None, start: str = "M") -> str:
    """From (x_0, y_0) on the height y_i from x_i to x_{i+1}; the last height up to `end`."""
    parts = [f"{start}{short(x[0])} {short(y[0])}"]
    parts += [f"H{short(one_x)}V{short(one_y)}" for one_x, one_y in zip(x[1:], y[1:], strict=True)]
    if end is not None and end > x[-1]:
        parts.append(f"H{short(end)}")
    return "".join(parts)


def dots_path(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> str:
    """A dot at each point, for a stroke with round ends: a tenth of the size of so many circles."""
    return "".join(f"M{short(one_x)} {short(one_y)}h0" for one_x, one_y in zip(x, y, strict=True))


def thinned_steps(x: np.ndarray, y: np.ndarray, n_points: int) -> np.ndarray:
    """Which steps of a curve in picture units to draw: (m,) indices, about n_points at most, first and last included.

    A step is left out while it lies less than 1/n_points of the way along the curve (horizontal plus vertical) from
    the last one that is drawn, so every drawn step is at its true place and height.
    """
    if len(x) <= n_points:
        return np.arange(len(x))
    way = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    nth = np.floor(way / way[-1] * (n_points - 1)) if way[-1] > 0 else np.zeros(len(x))
    first = np.flatnonzero(np.diff(nth, prepend=-1) > 0)
    return np.unique(np.append(first, len(x) - 1))


def _attribute(value: object) -> str:
    if isinstance(value, float):
        return short(value)
    return escape(str(value), {'"': "&quot;", "\n": "&#10;"})
