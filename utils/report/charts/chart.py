"""A chart of the report: one scalable SVG without colours, to be dressed by static/chart.css and static/chart.js."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from utils.figures.palette import SERIES
from utils.files.phrases import counted
from utils.report.charts.scale import Scale
from utils.report.charts.svg import line_path, mark, short, step_path, tag, text, text_width

WIDTH = 480.0
N_SERIES = len(SERIES)
_LEGEND_ROW, _GAP = 20.0, 8.0
_POINTS = 600  # of all curves of a chart together, which keeps it near 12 KB


@dataclass(frozen=True)
class Chart:
    """A picture for the report.

    Attributes:
        title: the heading above it.
        svg: one `<svg>` element without ids, colours or a fixed width, or `""` where there is nothing to draw.
        note: the caption: how to read it, what was left out and why.
    """

    title: str
    svg: str
    note: str = ""


@dataclass(frozen=True)
class Key:
    """An entry of a legend: its words, the classes of its sample, and `line`, `band`, `none` or a number of a mark."""

    label: str
    classes: str
    sample: str | int = "line"


class Plot:
    """A picture under construction: legend, then the plotting area, then what belongs to the horizontal axis.

    Args:
        x, y: ranges of the data.
        legend: entries above the plotting area, in rows as wide as the picture.
        left: units for the labels of the vertical axis.
        height: of the plotting area; None: a square.
        below: units below the plotting area.
        right: units right of it.
    """

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        legend: Sequence[Key] = (),
        left: float = 58,
        height: float | None = 250,
        below: float = 48,
        right: float = 16,
    ) -> None:
        legend_parts, legend_height = _legend(legend)
        self.left, self.right, self.top = left, WIDTH - right, legend_height + 12
        self.bottom = self.top + (self.right - self.left if height is None else height)
        self.height = self.bottom + below
        self.x = Scale(*x, self.left, self.right)
        self.y = Scale(*y, self.bottom, self.top)
        self.parts: list[str] = list(legend_parts)
        self.curves: list[dict[str, Any]] = []

    def add(self, *parts: str) -> None:
        """Append elements, drawn over those before them."""
        self.parts += parts

    def x_axis(self, ticks: Iterable[float], label: str, words: Callable[[float], str] = "{:g}".format) -> None:
        """Vertical grid lines, tick labels and, below them, what the axis shows, with its unit."""
        for tick in ticks:
            at = float(self.x(tick))
            self.add(tag("path", class_="grid", d=f"M{short(at)} {short(self.top)}V{short(self.bottom)}"))
            self.add(text(at, self.bottom + 17, words(tick), class_="tick mid"))
        half = min(text_width(label), WIDTH - 20) / 2 + 4
        middle = min(max((self.left + self.right) / 2, half), WIDTH - half)
        self.add(text(middle, self.bottom + 38, label, width=WIDTH - 20, class_="label mid"))

    def y_axis(self, ticks: Iterable[float], label: str, words: Callable[[float], str] = "{:g}".format) -> None:
        """Horizontal grid lines, tick labels and, turned, what the axis shows, with its unit."""
        for tick in ticks:
            at = float(self.y(tick))
            self.add(tag("path", class_="grid", d=f"M{short(self.left)} {short(at)}H{short(self.right)}"))
            self.add(text(self.left - 7, at + 4.5, words(tick), class_="tick end"))
        middle = (self.top + self.bottom) / 2
        turned = f"translate(15 {short(middle)}) rotate(-90)"
        self.add(text(0, 0, label, width=self.bottom - self.top + 20, class_="label mid", transform=turned))

    def frame(self) -> None:
        """The two axis lines, over the grid."""
        corner = f"M{short(self.left)} {short(self.top)}V{short(self.bottom)}H{short(self.right)}"
        self.add(tag("path", class_="axis", d=corner))

    def diagonal(self) -> None:
        """The dotted line of equal x and y."""
        ends = line_path(self.x([self.x.low, self.x.high]), self.y([self.x.low, self.x.high]))
        self.add(tag("path", class_="chance", d=ends))

    def line(self, x: Any, y: Any, series: int, *, step: bool = False, more: str = "") -> None:
        """A curve through the points, or with `step` the heights from each x on; `more` are further classes."""
        path = step_path(self.x(x), self.y(y)) if step else line_path(self.x(x), self.y(y))
        self.add(tag("path", class_=f"line {look(series)} {more}".strip(), d=path))

    def band(self, x: Any, low: Any, high: Any, series: int, *, step: bool = False) -> None:
        """The area between two curves; NaN is not allowed."""
        across, upper, lower = self.x(x), self.y(high), self.y(low)
        if step:
            # Back along the lower curve: from the right end, down or up at each step, then left.
            back = "".join(f"V{short(lower[i])}H{short(across[i])}" for i in range(len(across) - 1, -1, -1))
            path = step_path(across, upper) + back + "z"
        else:
            path = line_path(across, upper) + line_path(across[::-1], lower[::-1]).replace("M", "L", 1) + "z"
        self.add(tag("path", class_=f"band s{series % N_SERIES}", d=path))

    def hover(self, name: str, series: int, x: Any, y: Any, *, low: Any = None, high: Any = None) -> None:
        """Values that the script shows at the pointer: `y` (n,) at ascending `x` (n,), and limits where there are."""
        curve: dict[str, Any] = {"n": name, "s": series % N_SERIES, "x": _numbers(x), "y": _numbers(y)}
        if low is not None and high is not None:
            curve |= {"lo": _numbers(low), "hi": _numbers(high)}
        self.curves.append(curve)

    def svg(self, title: str, description: str, *, x_name: str = "") -> str:
        """The element; `x_name` stands before the value at the pointer."""
        if not self.curves:
            return picture(self.parts, self.height, title, description)
        shared = self.curves[0]["x"]
        curves = [{k: v for k, v in c.items() if k != "x" or v != shared} for c in self.curves]
        data: dict[str, Any] = {"box": [float(short(v)) for v in (self.left, self.top, self.right, self.bottom)]}
        data |= {
            "x": [self.x.low, self.x.high],
            "y": [self.y.low, self.y.high],
            "name": x_name,
            "xs": shared,
            "series": curves,
        }
        return picture(self.parts, self.height, title, description, data)


def picture(
    parts: Sequence[str], height: float, title: str, description: str, data: dict[str, Any] | None = None
) -> str:
    """The `<svg>` element around `parts`, 480 units wide; `data` is what the script shows at the pointer."""
    held = ""
    if data is not None:
        written = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        held = f" data-chart='{escape(written, {chr(39): '&#39;'})}'"  # single quotes: those of JSON need no escape
    head = f'<svg class="chart" role="img" tabindex="0" viewBox="0 0 {short(WIDTH)} {short(height)}"{held}>'
    return f"{head}{tag('title', escape(title))}{tag('desc', escape(description))}{''.join(parts)}</svg>"


def look(series: int) -> str:
    """The classes of colour and dashes of a series; the first 64 differ, the first eight in both.

    >>> look(1), look(9)
    ('s1 d1', 's1 d2')
    """
    return f"s{series % N_SERIES} d{(series + series // N_SERIES) % N_SERIES}"


def points_per_curve(n_curves: int) -> int:
    """How many points each of `n_curves` curves may have.

    >>> points_per_curve(2), points_per_curve(12)
    (150, 50)
    """
    return min(150, max(24, _POINTS // n_curves))


def sentences(*parts: str) -> str:
    """The parts that are not empty, one after the other."""
    return " ".join(part for part in parts if part)


def of_models(n_folds: int, *, is_ensemble: bool) -> str:
    """Whose predictions a chart shows: `3 folds`, or `the ensemble`.

    >>> of_models(3, is_ensemble=False), of_models(1, is_ensemble=True)
    ('3 folds', 'the ensemble')
    """
    return "the ensemble" if is_ensemble else counted(n_folds, "fold")


def left_out_text(left_out: dict[int, str]) -> str:
    """A sentence that says which folds are left out and why; empty where none is.

    >>> left_out_text({0: "no events", 2: "all risks equal", 3: "no events"})
    'Left out: fold 0, 3 (no events); fold 2 (all risks equal).'
    """
    if not left_out:
        return ""
    folds: dict[str, list[str]] = {}
    for fold, reason in left_out.items():
        folds.setdefault(reason, []).append(str(fold))
    return "Left out: " + "; ".join(f"fold {', '.join(which)} ({reason})" for reason, which in folds.items()) + "."


def _legend(keys: Sequence[Key]) -> tuple[list[str], float]:
    """Elements and height of the entries, in rows."""
    parts: list[str] = []
    x, y = _GAP, 16.0
    for key in keys:
        width = 34 + min(text_width(key.label), WIDTH - 60)
        if x > _GAP and x + width > WIDTH - _GAP:
            x, y = _GAP, y + _LEGEND_ROW
        if key.sample != "none":
            parts.append(_sample(key, x, y - 4.5))
        parts.append(text(x + 32, y, key.label, width=WIDTH - 60, class_="key"))
        x += width + 16
    return parts, y + 2 if keys else 0.0


def _sample(key: Key, x: float, y: float) -> str:
    if isinstance(key.sample, int):
        return mark(key.sample, x + 13, y, class_=f"mark {key.classes}")
    if key.sample == "band":
        return tag("rect", class_=f"band {key.classes}", x=x, y=y - 5, width=26, height=10)
    return tag("path", class_=f"line {key.classes}", d=f"M{short(x)} {short(y)}h26")


def _numbers(values: Any) -> list[float | int | None]:
    """Three decimals at most (or three digits below 0.1), None for NaN; whole numbers without a point."""
    rounded: list[float | int | None] = []
    for value in np.asarray(values, dtype=np.float64).tolist():
        if not math.isfinite(value):
            rounded.append(None)
            continue
        short_value = round(value, 3) if abs(value) >= 0.1 else float(f"{value:.3g}")
        rounded.append(int(short_value) if short_value == int(short_value) else short_value)
    return rounded
