"""Figures of the anchors of one fold: how frequent, how attended, associated with what, and how they are mixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from utils.explain.anchor_notes import notes_of
from utils.explain.anchor_statistics import auc_columns, classes_of
from utils.figures.palette import BLACK, BLUE, GREY, ORANGE, VERMILION
from utils.figures.plotting import new_figure, tidy
from utils.files.short_names import shortened
from utils.runs.class_words import ClassWords

MAX_ANCHORS = 64
_LEVEL = 0.05
_HAZARDS = ("log_hazard", "log_hazard_low", "log_hazard_high", "p", "p_holm")
_DIVERGING = "RdBu_r"  # ColorBrewer's, of which every common colour-vision deficiency tells both ends apart
_ROW = 0.165  # inches
_LONGEST_NAME = 18  # letters of a class below a panel


def anchor_overview(statistics: pd.DataFrame, title: str, words: ClassWords | None = None) -> Figure:
    """A row per anchor, most frequent first: its share of all patches, its relative attention, its association.

    At most 64 anchors, the most frequent ones; those that no patch is nearest to are left out. The title says how many.
    An association is drawn in colour where Holm's p is at most 0.05, and in grey where the anchor has a note about it.
    A point with p and without limits (an AUC of 0 or 1) is no such case: its p is exact, the note says why it has none.

    Args:
        statistics: as of `utils.explain.anchor_statistics`.
        title: of the figure.
        words: names of the classes.
    """
    present = statistics[statistics["n_patches"] > 0].sort_values(["share", "anchor"], ascending=[False, True])
    shown = present.head(MAX_ANCHORS)
    classes = classes_of(statistics)
    n_panels = 2 + (1 if classes is None else len(classes))
    height = _ROW * len(shown) + 1.9
    figure = new_figure(2.5 * n_panels + 0.6, height, f"{title}\n{_which(statistics, present, shown)}")
    all_axes = [figure.add_subplot(1, n_panels, index + 1) for index in range(n_panels)]
    _draw_share(all_axes[0], shown)
    _draw_attention(all_axes[1], shown)
    if classes is None:
        _draw_association(all_axes[2], shown, None)
        all_axes[2].set_xlabel("log hazard ratio per SD of the share\n(right: earlier death)", fontsize=8)
    for axes, positive in zip(all_axes[2:], classes or (), strict=classes is not None):
        _draw_association(axes, shown, positive)
        name = f"class {positive}" if words is None else shortened(words.brief(positive), _fits)
        axes.set_xlabel(f"AUC of the share, {name}\n(right: more in {name})", fontsize=8)
    for axes in all_axes:
        _finish_rows(axes, shown, labels=axes is all_axes[0])
    exact = "" if classes is None else " (an AUC of 0 or 1 has an exact p and no interval)"
    figure.supxlabel(
        f"lines: 95 % intervals; filled: p at most {_LEVEL} after Holm's correction over the anchors{exact};\n"
        "grey: a note in anchors.csv, such as an anchor in a handful of cases",
        fontsize=8,
    )
    return figure


def mixing_figure(mixing: Mapping[str, Any], title: str) -> Figure:
    """Heat maps of the overall mixing (remaining anchors x first-stage anchors), and of each stage below it.

    Columns of the overall mixing that change the same remaining anchor most stand together, the strongest first.

    Args:
        mixing: as in `reducer_mixing.json`: `stages`, matrices (K_l / 2, K_l), and `overall` (K / 2^L, K).
        title: of the figure.
    """
    overall, stages = np.array(mixing["overall"]), [np.array(stage) for stage in mixing["stages"]]
    n_remaining, n_anchors = overall.shape
    width = min(max(7.5, 0.135 * n_anchors + 2.0), 16.0)
    upper = max(1.6, 0.16 * n_remaining + 0.9)
    words = "mixing of the Cluster Reducers: change of remaining anchors per small change of first ones"
    figure = new_figure(width, upper + 3.2, f"{title}\n{words}")
    above, below = figure.subfigures(2, 1, height_ratios=[upper, 2.5])  # apart, so that colour bars stand at their maps
    _draw_overall(above, overall)
    for index, stage in enumerate(stages):
        axes = below.add_subplot(1, len(stages), index + 1)
        _draw_matrix(below, axes, stage)
        axes.set_title(f"stage {index + 1}: {stage.shape[1]} to {stage.shape[0]}", fontsize=8)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        axes.tick_params(labelsize=7)
        axes.set_xlabel("anchor before the stage", fontsize=8)
        axes.set_ylabel("anchor after it", fontsize=8)
    return figure


def column_order(overall: np.ndarray) -> np.ndarray:
    """(K,) first-stage anchors by the remaining anchor whose row has their largest entry (in size), largest first.

    >>> column_order(np.array([[0.1, -0.9, 0.5], [0.3, 0.2, 0.0]])).tolist()
    [1, 2, 0]
    """
    size = np.abs(overall)
    return np.lexsort((-size.max(axis=0), size.argmax(axis=0)))


def _fits(name: str) -> bool:
    return len(name) <= _LONGEST_NAME


def _which(statistics: pd.DataFrame, present: pd.DataFrame, shown: pd.DataFrame) -> str:
    """Which anchors of the fold are shown, in words."""
    n_anchors, absent = len(statistics), len(statistics) - len(present)
    which = f"the {len(shown)} most frequent of {n_anchors} anchors" if len(shown) < len(present) else "anchors"
    left_out = f" ({absent} of {n_anchors} nearest to no patch)" if absent else ""
    return f"{which}, test cases of the fold{left_out}"


def _draw_share(axes: Axes, shown: pd.DataFrame) -> None:
    axes.barh(range(len(shown)), 100 * shown["share"], color=BLUE, height=0.7)
    axes.set_xlabel("share of all patches (%)", fontsize=8)
    axes.set_ylabel("anchor", fontsize=8)


def _draw_attention(axes: Axes, shown: pd.DataFrame) -> None:
    """Points on a line from 1, the attention of an average patch."""
    rows, values = np.arange(len(shown)), shown["mean_attention"].to_numpy()
    axes.hlines(rows, 1, values, color=ORANGE, linewidth=1.2)
    axes.plot(values, rows, "o", color=ORANGE, markersize=3.5)
    axes.axvline(1, color=GREY, linewidth=0.8)
    axes.set_xlabel("attention per patch\n(1: as the average patch)", fontsize=8)


def _draw_association(axes: Axes, shown: pd.DataFrame, positive: int | None) -> None:
    """AUCs of class `positive`, or log hazard ratios (None)."""
    columns, chance = (_HAZARDS, 0.0) if positive is None else (auc_columns(positive), 0.5)
    estimate, low, high, p, corrected = (shown[name].to_numpy() for name in columns)
    limits = _visible_range(np.concatenate([estimate, low, high]), chance)
    for row in range(len(shown)):
        if np.isnan(estimate[row]):
            axes.text(chance, row, "undefined", fontsize=6, color=GREY, ha="center", va="center")
            continue
        is_exact = np.isnan(low[row]) and not np.isnan(p[row])
        doubtful = bool(notes_of(shown["note"].iloc[row], None if is_exact else positive))
        clear = corrected[row] <= _LEVEL and not doubtful
        colour = VERMILION if clear else GREY if doubtful else BLACK
        if not np.isnan(low[row]):  # an AUC of 0 or 1 has no interval
            axes.plot([low[row], high[row]], [row, row], color=colour, linewidth=1.0)
        face, place = (colour if clear else "white"), float(np.clip(estimate[row], *limits))
        marker = "o" if place == estimate[row] else ">" if place > chance else "<"
        axes.plot(place, row, marker, markersize=3.5, color=colour, markerfacecolor=face, markeredgewidth=0.8)
    axes.axvline(chance, color=GREY, linewidth=0.8, zorder=1)
    axes.set_xlim(limits)


def _visible_range(values: np.ndarray, chance: float) -> tuple[float, float]:
    """Limits of the axis: 0 to 1 for AUCs; of hazards all values, unless a few far ones would hide the others.

    An estimate beyond the limits is drawn at the edge, as an arrow.
    """
    if chance == 0.5:
        return -0.02, 1.02
    if np.isnan(values).all():
        return -1.0, 1.0
    size = np.abs(values[~np.isnan(values)])
    reach = 1.05 * max(min(size.max(), 4 * np.quantile(size, 0.75)), 0.1)
    return -reach, reach


def _finish_rows(axes: Axes, shown: pd.DataFrame, *, labels: bool) -> None:
    tidy(axes)
    names = [str(k) for k in shown["anchor"]] if labels else [""] * len(shown)
    axes.set_yticks(range(len(shown)), names, fontsize=7)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.tick_params(axis="x", labelsize=7)
    axes.tick_params(axis="y", length=0)


def _draw_overall(figure: SubFigure, overall: np.ndarray) -> None:
    n_remaining, n_anchors = overall.shape
    order = column_order(overall)
    axes = figure.add_subplot()
    _draw_matrix(figure, axes, overall[:, order])
    axes.set_xticks(range(n_anchors), [str(k) for k in order], fontsize=6, rotation=90 if n_anchors > 32 else 0)
    axes.set_yticks(range(n_remaining), [str(k) for k in range(n_remaining)], fontsize=6)
    axes.set_xlabel("anchor of the first stage, beside others that change the same remaining anchor most", fontsize=8)
    axes.set_ylabel("remaining anchor", fontsize=8)
    for edge in np.flatnonzero(np.diff(np.abs(overall[:, order]).argmax(axis=0))):
        axes.axvline(float(edge) + 0.5, color=GREY, linewidth=0.6)


def _draw_matrix(figure: SubFigure, axes: Axes, matrix: np.ndarray) -> None:
    reach = max(float(np.abs(matrix).max()), np.finfo(float).tiny)
    image = axes.imshow(matrix, cmap=_DIVERGING, vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest")
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02)
    bar.ax.tick_params(labelsize=7)
