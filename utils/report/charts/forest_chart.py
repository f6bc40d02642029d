"""Values with intervals, one per row."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from utils.files.phrases import counted
from utils.files.short_names import shortened_apart
from utils.report.charts.chart import WIDTH, Chart, Plot, sentences
from utils.report.charts.scale import nice_ticks, padded
from utils.report.charts.svg import fitting, mark, short, tag, text, text_width

_ROW = 26.0
_GAP = 12.0
_FAR = 4.0
_WIDEST_LABEL = 190.0
_MOST_TICKS = 7  # of an axis of ratios
_STRONG = 1.12  # strong letters are that much wider


@dataclass(frozen=True)
class ForestRow:
    """A value with its interval; None where there is none. `emphasis`: the row that sums up the others."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    emphasis: bool = False


def forest_chart(
    rows: Sequence[ForestRow], *, title: str, axis: str, reference: float | None = None, is_ratio: bool = False
) -> Chart:
    """A row per value: label, interval and mark on a common axis, and the numbers.

    Args:
        rows: from top to bottom.
        title: of the chart.
        axis: what the values are, with their unit.
        reference: a value to compare with (0.5 for an AUC, 0 for a difference), drawn as a dotted line.
        is_ratio: whether values are ratios, above 0: their axis is logarithmic.

    The axis spans all values, and limits unless they are four times as far from their value as limits usually are:
    those end in an arrow, and the numbers beside them are whole.
    """
    known = [number for row in rows for number in (row.value, row.low, row.high) if number is not None]
    if not known:
        return Chart(title, "", "Nothing to draw: " + ("every value is undefined." if rows else "there is no row."))
    place = _logarithm if is_ratio else _as_it_is
    low, high = _reach([_placed(row, place) for row in rows], None if reference is None else place(reference))
    digits = 2 if is_ratio or min(known) < 0 or max(known) >= 10 else 3
    shown = shortened_apart([row.label for row in rows], fitting(_WIDEST_LABEL / _STRONG))
    labels = max(_width(label, row) for label, row in zip(shown, rows, strict=True))
    left, right = labels + _GAP + 8, max(_width(numbers(row, digits), row) for row in rows) + _GAP + 6
    plot = Plot((low, high), (len(rows), 0), left=left, right=right, height=_ROW * len(rows) + 8)
    if is_ratio:
        plot.x_axis(_ratio_ticks(low, high), axis, lambda tick: f"{math.exp(tick):g}")
    else:
        plot.x_axis(nice_ticks(low, high, 4), axis)
    if reference is not None:
        at = short(plot.x(place(reference)))
        plot.add(tag("path", class_="chance", d=f"M{at} {short(plot.top)}V{short(plot.bottom)}"))
    for index, row in enumerate(rows):
        y = plot.top + 4 + _ROW * (index + 0.5)
        plot.add(_row(plot, _placed(row, place), y, numbers(row, digits), shown[index]))
    plot.add(tag("path", class_="axis", d=f"M{short(plot.left)} {short(plot.bottom)}H{short(plot.right)}"))
    missing = sum(row.value is None for row in rows)
    ends = [end for row in rows for end in (row.low, row.high) if end is not None]
    beyond = any(not low <= place(end) <= high for end in ends)
    note = sentences(
        f"Undefined: {missing} of {counted(len(rows), 'value')}." if missing else "",
        "Arrows: limits beyond the picture." if beyond else "",
    )
    return Chart(title, plot.svg(title, f"{counted(len(rows), 'value')}: {axis}."), note)


def _as_it_is(value: float) -> float:
    return value


def _logarithm(value: float) -> float:
    return math.log(max(value, sys.float_info.min))


def _placed(row: ForestRow, place: Callable[[float], float]) -> ForestRow:
    """The row with its numbers where they are drawn."""
    value, low, high = (None if number is None else place(number) for number in (row.value, row.low, row.high))
    return replace(row, value=value, low=low, high=high)


def _ratio_ticks(low: float, high: float) -> list[float]:
    """Logarithms of round ratios from `low` to `high`, as few as are apart from each other."""
    for steps in ((1.0, 2.0, 5.0), (1.0,)):
        ratios = [step * 10.0**power for power in range(-9, 10) for step in steps]
        ticks = [math.log(ratio) for ratio in ratios if low <= math.log(ratio) <= high]
        if len(ticks) <= _MOST_TICKS:
            return ticks
    return ticks[:: -(-len(ticks) // _MOST_TICKS)]


def _reach(rows: Sequence[ForestRow], reference: float | None) -> tuple[float, float]:
    """Range of the axis."""
    whole = [(row.value, row.low, row.high) for row in rows]
    sides = [abs(end - value) for value, *ends in whole for end in ends if end is not None and value is not None]
    far = _FAR * float(np.median(sides)) if sides else 0.0
    shown = [] if reference is None else [reference]
    for value, *ends in whole:
        shown += [] if value is None else [value]
        shown += [end for end in ends if end is not None and (value is None or abs(end - value) <= max(far, 1e-9))]
    return padded(min(shown), max(shown))


def _row(plot: Plot, row: ForestRow, y: float, words: str, shown: str) -> str:
    """A row whose numbers are where they are drawn; `words` are those that a reader sees."""
    weight = " strong" if row.emphasis else ""
    parts = [
        tag("rect", class_="hit", x=4, y=y - _ROW / 2, width=WIDTH - 8, height=_ROW),
        text(plot.left - _GAP, y + 4.5, row.label, shown=shown, class_=f"key end{weight}"),
        text(plot.right + _GAP, y + 4.5, words, class_=f"tick{weight}"),
    ]
    if row.low is not None and row.high is not None:
        start, end = short(plot.x(row.low)), short(plot.x(row.high))
        line = f"M{start} {short(y)}H{end}"
        line += f"M{start} {short(y)}m5-4l-5 4l5 4" if row.low < plot.x.low else ""
        line += f"M{end} {short(y)}m-5-4l5 4l-5 4" if row.high > plot.x.high else ""
        parts.append(tag("path", class_=f"whisker s0{weight}", d=line))
    if row.value is not None:
        shape = 2 if row.emphasis else 1
        parts.append(mark(shape, float(plot.x(row.value)), y, class_=f"mark s0{weight}"))
    return tag("g", "".join(parts), class_="row", data_tip=f"{row.label}\n{words}")


def _width(words: str, row: ForestRow) -> float:
    return text_width(words) * (_STRONG if row.emphasis else 1.0)


def numbers(row: ForestRow, digits: int) -> str:
    """Value and interval of a row.

    >>> numbers(ForestRow("fold 0", 0.7123, 0.65, 0.78), 3), numbers(ForestRow("fold 1", None, None, None), 3)
    ('0.712 (0.650–0.780)', 'undefined')
    """
    if row.value is None:
        return "undefined"
    if row.low is None or row.high is None:
        return _written(row.value, digits)
    between = "–" if row.low >= 0 else " to "  # a dash before a minus sign would be misread
    low, high = _written(row.low, digits), _written(row.high, digits)
    return f"{_written(row.value, digits)} ({low}{between}{high})"


def _written(number: float, digits: int) -> str:
    return f"{number:.{digits}f}" if abs(number) < 100 else f"{number:.3g}"
