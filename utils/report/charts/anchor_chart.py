"""What the anchors of a fold are worth: share and attention, association with the outcome, mixing by the reducers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from utils.explain.anchor_notes import notes_of
from utils.files.phrases import counted
from utils.files.text_table import format_p
from utils.report.charts.chart import WIDTH, Chart, Plot, picture, sentences
from utils.report.charts.confusion_chart import MOST_OPAQUE
from utils.report.charts.forest_chart import ForestRow, forest_chart
from utils.report.charts.scale import nice_ticks
from utils.report.charts.svg import short, tag, text
from utils.runs.class_words import ClassWords

_MOST_ROWS = 16
_OPACITIES = 10
_NAMED = 4


def anchor_charts(
    anchors: pd.DataFrame, mixing: Mapping[str, Any] | None, words: ClassWords | None = None
) -> list[Chart]:
    """Share against attention of each anchor, associations with the outcome, and the overall mixing of the reducers.

    Args:
        anchors: `anchors.csv` of one fold: `anchor, share, mean_attention` (1 = as the average patch) and, where there
            are, `log_hazard` (survival) or `auc_c` for classes c with `_low`, `_high`, p values and `note`.
        mixing: `reducer_mixing.json` of the fold: its `overall` is (anchors that remain, anchors); None: no reducers.
        words: names of the classes.
    """
    charts = [_attention(anchors), *_associations(anchors, words)]
    if mixing is not None:
        charts.append(_mixing(np.asarray(mixing["overall"], dtype=np.float64)))
    return charts


def _attention(anchors: pd.DataFrame) -> Chart:
    title = "Share and attention of each anchor"
    share, attention = (anchors[name].to_numpy(dtype=np.float64) for name in ("share", "mean_attention"))
    known = np.isfinite(share) & np.isfinite(attention)
    if not known.any():
        return Chart(title, "", "Nothing to draw: no anchor has a share and an attention.")
    plot = Plot(_reach(share[known]), _reach(np.append(attention[known], 1.0)), left=64)
    plot.x_axis(nice_ticks(0.0, plot.x.high), "share of the patches", "{:.3g}".format)
    plot.y_axis(nice_ticks(0.0, plot.y.high), "attention (1: as the average patch)", "{:.3g}".format)
    average = short(plot.y(1.0))
    plot.add(tag("path", class_="chance", d=f"M{short(plot.left)} {average}H{short(plot.right)}"))
    plot.frame()
    for row in np.flatnonzero(known):
        at = float(plot.x(share[row])), float(plot.y(attention[row]))
        name = anchors["anchor"].iloc[row]
        tip = f"anchor {name}\n{share[row]:.2%} of the patches\nattention {attention[row]:.3g}"
        plot.add(tag("circle", cx=at[0], cy=at[1], r=4, class_="mark open s0", data_tip=tip))
    named = _named(plot, share, attention, known)
    for row in named:
        x, y = float(plot.x(share[row])), float(plot.y(attention[row]))
        plot.add(text(x + 8, y + 4.5, str(anchors["anchor"].iloc[row]), class_="small"))
    nowhere, unknown = int((~known & (share == 0)).sum()), int((~known & (share != 0)).sum())
    note = sentences(
        f"Numbers: of the {_NAMED} anchors of highest share and the {_NAMED} of highest attention, those with room for "
        "one."
        if named
        else "",
        "Dotted: attention of an average patch.",
        f"{counted(nowhere, 'anchor')} of {len(anchors)}: nearest to no patch." if nowhere else "",
        f"{counted(unknown, 'anchor')} of {len(anchors)}: attention unknown." if unknown else "",
    )
    return Chart(title, plot.svg(title, f"{counted(int(known.sum()), 'anchor')}."), note)


def _reach(values: np.ndarray) -> tuple[float, float]:
    largest = float(values.max()) or 1.0
    return -0.03 * largest, 1.12 * largest


def _named(plot: Plot, share: np.ndarray, attention: np.ndarray, known: np.ndarray) -> list[int]:
    """Of the highest in share and of those in attention, the anchors whose numbers cover no other anchor or number."""
    x, y = plot.x(np.where(known, share, np.inf)), plot.y(np.where(known, attention, np.inf))
    candidates = [
        row
        for values in (share, attention)
        for row in np.argsort(-np.where(known, values, -np.inf), kind="stable")[:_NAMED].tolist()
        if known[row]
    ]
    named: list[int] = []
    for row in dict.fromkeys(candidates):
        covered = known & (x > x[row]) & (x - x[row] < 36) & (np.abs(y - y[row]) < 12)
        near = any(abs(x[row] - x[i]) < 36 and abs(y[row] - y[i]) < 16 for i in named)
        if not covered.any() and not near:
            named.append(row)
    return named


def _associations(anchors: pd.DataFrame, words: ClassWords | None) -> list[Chart]:
    """One chart for `log_hazard`, or one for each `auc_c`."""
    charts = []
    for name in map(str, anchors.columns):
        if name == "log_hazard":
            axis = "log hazard ratio per deviation of the share"
            reading = "Above 0: cases with more of the anchor die earlier."
            charts.append(_association(anchors, name, None, "Anchors and survival", axis, reading))
        elif name.startswith("auc_") and name[4:].isdigit():
            c = int(name[4:])
            called = f"class {c}" if words is None else words.full(c)
            reading = f"Above 0.5: slides of {called} have more of the anchor."
            title, axis = f"Anchors and {called}", f"AUC of the share, {called}"
            charts.append(_association(anchors, name, c, title, axis, reading))
    return charts


def _association(anchors: pd.DataFrame, name: str, positive: int | None, title: str, axis: str, reading: str) -> Chart:
    """The anchors with the smallest p values, ordered by their association with a class, or with survival (None)."""
    p, none = ("p", 0.0) if positive is None else (f"p_{positive}", 0.5)
    known = anchors[anchors[name].notna() & anchors[p].notna()]
    picked = known.sort_values(p, kind="stable").head(_MOST_ROWS).sort_values(name, ascending=False, kind="stable")
    doubtful = [bool(notes_of(note, positive)) for note in picked["note"]]
    rows = []
    for (_, row), doubt in zip(picked.iterrows(), doubtful, strict=True):
        value, low, high = (_number(row, f"{name}{end}") for end in ("", "_low", "_high"))
        rows.append(ForestRow(_label(row, f"{p}_holm", doubt), value, low, high))
    chart = forest_chart(rows, title=title, axis=axis, reference=none)
    if not rows:
        return Chart(title, "", "Nothing to draw: the association of every anchor is undefined, or has no p.")
    without = len(anchors) - len(known)
    note = sentences(
        f"The {len(rows)} of {len(known)} anchors with the smallest p." if len(rows) < len(known) else "",
        f"Without p, and not drawn: {counted(without, 'anchor')} of {len(anchors)}." if without else "",
        reading,
        "Bars: 95 % limits; p with Holm's correction over the anchors.",
        "*: see the note in the table." if any(doubtful) else "",
        chart.note,
    )
    return Chart(title, chart.svg, note)


def _label(row: pd.Series, p: str, doubtful: bool) -> str:
    corrected = _number(row, p)
    return f"anchor {row['anchor']:g}{'*' * doubtful}" + ("" if corrected is None else f", p {format_p(corrected)}")


def _number(row: pd.Series, name: str) -> float | None:
    return float(row[name]) if pd.notna(row[name]) else None


def _mixing(overall: np.ndarray) -> Chart:
    title = "Which anchors the reducers mix"
    rows, columns = overall.shape
    left, top, right = 62.0, 14.0, 14.0
    width = (WIDTH - left - right) / columns
    height = max(14.0, min(30.0, 300.0 / rows), 130.0 / rows)  # at least as high as the words beside it
    largest = float(np.nanmax(np.abs(overall))) or 1.0
    parts = _cells(overall, largest, left, top, width, height)
    for row in range(0, rows, 1 if rows <= 20 else 5):
        parts.append(text(left - 8, top + (row + 0.5) * height + 4.5, str(row), class_="tick end"))
    bottom = top + rows * height
    for column in (tick for tick in nice_ticks(0, columns - 1, 12) if tick == int(tick)):
        parts.append(text(left + (column + 0.5) * width, bottom + 17, f"{column:g}", class_="tick mid"))
    parts.append(text((left + WIDTH - right) / 2, bottom + 38, "anchor of the first stage", class_="label mid"))
    turned = f"translate(15 {short(top + rows * height / 2)}) rotate(-90)"
    parts.append(text(0, 0, "remaining anchor", class_="label mid", transform=turned))
    note = sentences(
        "Change of a remaining anchor per small change of an anchor of the first stage; the deeper the colour, the "
        f"larger (largest {largest:.3g}).",
        "Orange: below 0." if (overall < 0).any() else "",
    )
    thousandths = (overall / largest * 1000).round().astype(int).ravel().tolist()
    heat = {"rows": rows, "columns": columns, "row": "remaining", "column": "anchor", "v": thousandths}
    data = {"box": [left, top, WIDTH - right, bottom], "x": [0, columns], "heat": heat | {"unit": largest / 1000}}
    description = f"{counted(rows, 'remaining anchor')} from {columns}."
    return Chart(title, picture(parts, bottom + 48, title, description, data), note)


def _cells(overall: np.ndarray, largest: float, left: float, top: float, width: float, height: float) -> list[str]:
    """One path per step of opacity and sign, in units of cells: a rectangle per cell would be ten times as long."""
    level = np.rint(overall / largest * _OPACITIES).astype(int)
    parts = [tag("rect", class_="empty", x=left, y=top, width=width * level.shape[1], height=height * level.shape[0])]
    placed = f"translate({short(left)} {short(top)}) scale({width:.5g} {height:.5g})"
    for step in (*range(-_OPACITIES, 0), *range(1, _OPACITIES + 1)):
        cells = "".join(f"M{column} {row}h1v1h-1z" for row, column in np.argwhere(level == step))
        if cells:
            look = "cell minus" if step < 0 else "cell"
            opacity = f"{abs(step) / _OPACITIES * MOST_OPAQUE:.2f}"
            parts.append(tag("path", class_=look, transform=placed, fill_opacity=opacity, d=cells))
    return parts
