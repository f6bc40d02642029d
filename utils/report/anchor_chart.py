"""What the anchors of a fold are worth: share and attention, association with the outcome, mixing by the reducers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from utils.report.chart import WIDTH, Chart, Plot, picture
from utils.report.confusion_chart import MOST_OPAQUE
from utils.report.forest_chart import ForestRow, forest_chart
from utils.report.scale import nice_ticks
from utils.report.svg import short, tag, text
from utils.summary_text import format_p

_MOST_ROWS = 16
_OPACITIES = 10
_EFFECTS = {  # column: words of the axis, value of no effect
    "log_hazard": ("log hazard ratio of the anchor's share (> 0: earlier death)", 0.0),
    "auc_c": ("AUC of the anchor's share for the class", 0.5),
}


def anchor_charts(anchors: pd.DataFrame, mixing: Mapping[str, Any] | None) -> list[Chart]:
    """Share against attention of each anchor, associations with the outcome, and the overall mixing of the reducers.

    Args:
        anchors: `anchors.csv` of one fold: `anchor, share, mean_attention` and associations with their limits, p and
            p_holm, where there are (`log_hazard, log_hazard_low, log_hazard_high` or `auc_c` for classes c).
        mixing: `reducer_mixing.json` of the fold: its `overall` is (anchors that remain, anchors); None: no reducers.
    """
    charts = [_attention(anchors), *_associations(anchors)]
    if mixing is not None:
        charts.append(_mixing(np.asarray(mixing["overall"], dtype=np.float64)))
    return charts


def _attention(anchors: pd.DataFrame) -> Chart:
    title = "Share and attention of each anchor"
    share, attention = (anchors[name].to_numpy(dtype=np.float64) for name in ("share", "mean_attention"))
    known = np.isfinite(share) & np.isfinite(attention)
    if not known.any():
        return Chart(title, "", "Nothing to draw: no anchor has a share and an attention.")
    reach = _reach(share[known]), _reach(attention[known])
    plot = Plot(*reach, left=74)
    plot.x_axis(nice_ticks(*reach[0]), "share of the patches", "{:.3g}".format)
    plot.y_axis(nice_ticks(*reach[1]), "mean attention", "{:.3g}".format)
    plot.frame()
    for row in np.flatnonzero(known):
        at = float(plot.x(share[row])), float(plot.y(attention[row]))
        name = anchors["anchor"].iloc[row]
        tip = f"anchor {name}\n{share[row]:.2%} of the patches\nmean attention {attention[row]:.3g}"
        plot.add(tag("circle", cx=at[0], cy=at[1], r=4, class_="mark open s0", data_tip=tip))
    for row in _named(plot, share, attention, known):
        x, y = float(plot.x(share[row])), float(plot.y(attention[row]))
        plot.add(text(x + 8, y + 4.5, str(anchors["anchor"].iloc[row]), class_="small"))
    note = (
        "Numbers name anchors with the highest attention or share. Anchors of different folds have nothing in common."
    )
    return Chart(title, plot.svg(title, f"{int(known.sum())} anchors."), note)


def _reach(values: np.ndarray) -> tuple[float, float]:
    largest = float(values.max()) or 1.0
    return -0.03 * largest, 1.12 * largest


def _named(plot: Plot, share: np.ndarray, attention: np.ndarray, known: np.ndarray) -> list[int]:
    """Up to ten anchors, highest in attention or share first, whose numbers cover no other anchor and no number."""
    x, y = plot.x(np.where(known, share, np.inf)), plot.y(np.where(known, attention, np.inf))
    rank = np.maximum(share / np.nanmax(share[known]), attention / np.nanmax(attention[known]))
    chosen: list[int] = []
    for row in sorted(np.flatnonzero(known).tolist(), key=lambda index: -rank[index]):
        covered = known & (x > x[row]) & (x - x[row] < 36) & (np.abs(y - y[row]) < 12)
        near = any(abs(x[row] - x[i]) < 36 and abs(y[row] - y[i]) < 16 for i in chosen)
        if not covered.any() and not near:
            chosen.append(row)
    return chosen[:10]


def _associations(anchors: pd.DataFrame) -> list[Chart]:
    charts = []
    for name in anchors.columns:
        stem = "log_hazard" if name == "log_hazard" else "auc_c" if _is_class_auc(str(name)) else ""
        if not stem:
            continue
        axis, none = _EFFECTS[stem]
        charts.append(_association(anchors, str(name), axis.replace("the class", f"class {str(name)[4:]}"), none))
    return charts


def _is_class_auc(name: str) -> bool:
    return name.startswith("auc_") and (name == "auc_c" or name[4:].isdigit())


def _association(anchors: pd.DataFrame, name: str, axis: str, none: float) -> Chart:
    title = "Anchors and the outcome" if name in ("log_hazard", "auc_c") else f"Anchors and class {name[4:]}"
    known = anchors[anchors[name].notna()]
    away = (known[name] - none).abs().sort_values(ascending=False, kind="stable").index[:_MOST_ROWS]
    shown = known.loc[away].sort_values(name, ascending=False, kind="stable")
    rows = [
        ForestRow(_label(row), float(row[name]), _limit(row, f"{name}_low"), _limit(row, f"{name}_high"))
        for _, row in shown.iterrows()
    ]
    chart = forest_chart(rows, title=title, axis=axis, reference=none)
    picked = f"The {len(rows)} of {len(anchors)} anchors furthest from no effect. " if len(rows) < len(anchors) else ""
    return Chart(title, chart.svg, f"{picked}{'Bars: 95 % limits; p with Holm correction.' if rows else chart.note}")


def _label(row: pd.Series) -> str:
    p = _limit(row, "p_holm")
    return f"anchor {row['anchor']:g}" + ("" if p is None else f", p {format_p(p)}")


def _limit(row: pd.Series, name: str) -> float | None:
    return float(row[name]) if name in row.index and pd.notna(row[name]) else None


def _mixing(overall: np.ndarray) -> Chart:
    title = "Which anchors the reducers mix"
    rows, columns = overall.shape
    left, top, right = 62.0, 14.0, 14.0
    width = (WIDTH - left - right) / columns
    height = max(14.0, min(30.0, 300.0 / rows))
    largest = float(np.nanmax(np.abs(overall))) or 1.0
    parts = _cells(overall, largest, left, top, width, height)
    for row in range(0, rows, 1 if rows <= 20 else 5):
        parts.append(text(left - 8, top + (row + 0.5) * height + 4.5, str(row), class_="tick end"))
    bottom = top + rows * height
    step = next(nice for nice in (1, 2, 5, 10, 20, 50) if columns / nice <= 14)
    for column in range(0, columns, step):
        parts.append(text(left + (column + 0.5) * width, bottom + 17, str(column), class_="tick mid"))
    parts.append(text((left + WIDTH - right) / 2, bottom + 38, "anchor of the first stage", class_="label mid"))
    turned = f"translate(15 {short(top + rows * height / 2)}) rotate(-90)"
    parts.append(text(0, 0, "remaining anchor", class_="label mid", transform=turned))
    note = f"The deeper the colour, the larger the weight (largest {largest:.3g}): which anchors become one."
    thousandths = (overall / largest * 1000).round().astype(int).ravel().tolist()
    heat = {"rows": rows, "columns": columns, "row": "remaining", "column": "anchor", "v": thousandths}
    data = {"box": [left, top, WIDTH - right, bottom], "x": [0, columns], "heat": heat | {"unit": largest / 1000}}
    description = f"{rows} remaining anchors from {columns}."
    return Chart(title, picture(parts, bottom + 48, title, description, data), note)


def _cells(overall: np.ndarray, largest: float, left: float, top: float, width: float, height: float) -> list[str]:
    """One path per step of opacity: a rectangle per cell would be five times as long."""
    level = np.rint(np.abs(overall) / largest * _OPACITIES).astype(int)
    parts = [tag("rect", class_="empty", x=left, y=top, width=width * level.shape[1], height=height * level.shape[0])]
    shape = f"h{short(width)}v{short(height)}h{short(-width)}z"
    for step in range(1, _OPACITIES + 1):
        cells = "".join(
            f"M{short(left + column * width)} {short(top + row * height)}{shape}"
            for row, column in np.argwhere(level == step)
        )
        if cells:
            parts.append(tag("path", class_="cell", d=cells, fill_opacity=f"{step / _OPACITIES * MOST_OPAQUE:.2f}"))
    return parts
