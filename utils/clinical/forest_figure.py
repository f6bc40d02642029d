"""The forest plot of the models of risk and clinical covariates, as PNG and SVG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from utils.clinical.clinical_file import FOLDER
from utils.clinical.models import MODELS
from utils.clinical.tables import MODEL_WORDS, ratio_text, ratio_word
from utils.figures.palette import GREY, SERIES
from utils.figures.plotting import new_figure, save_figure, save_png, tidy

NAME = "forest"
_MARKERS = ("s", "o", "D")
_WIDEST = 50.0  # ratios beyond, or below its inverse, end in an arrow


def forest_figure(result: Mapping[str, Any]) -> Figure:
    """A line for each term of each model: ratio, 95 % limits on a logarithmic axis, and the numbers."""
    lines = [
        (index, term)
        for index, model in enumerate(MODELS)
        for term in result["models"][model]["terms"]
        if term["effect"] is not None
    ]
    figure = new_figure(8.0, 1.6 + 0.32 * max(len(lines), 1), f"{result['title']}\nrisk and clinical covariates")
    axes = figure.add_subplot()
    if not lines:
        axes.text(0.5, 0.5, "no model could be fitted", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return figure
    ends = np.array([[term["low"], term["effect"], term["high"]] for _, term in lines])
    low, high = np.clip([ends.min() * 0.9, ends.max() * 1.1], 1 / _WIDEST, _WIDEST)
    for row, (index, term) in enumerate(lines):
        shown = np.clip([term["low"], term["effect"], term["high"]], low, high)
        axes.plot(shown[[0, 2]], [row, row], color=SERIES[index], linewidth=1.6)
        for end, reached, arrow in ((term["low"], shown[0], "<"), (term["high"], shown[2], ">")):
            if end != reached:
                axes.plot([reached], [row], arrow, color=SERIES[index], markersize=6)
        axes.plot(shown[1:2], [row], _MARKERS[index], color=SERIES[index], markersize=6)
        axes.text(1.02, row, ratio_text(term), transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    axes.axvline(1.0, color=GREY, linewidth=1.0, linestyle=":")
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_yticks(range(len(lines)), [f"{term['term']}  ({MODEL_WORDS[MODELS[index]]})" for index, term in lines])
    ticks = [tick for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    words = (
        "hazard ratio (above 1: earlier death)" if ratio_word(result) == "HR" else f"odds ratio of {result['outcome']}"
    )
    axes.set_xlabel(f"{words}, 95 % interval", fontsize=9)
    tidy(axes)
    return figure


def write_forest_figure(run_dir: Path, result: Mapping[str, Any]) -> list[Path]:
    """Write `clinical/forest.png` and `forest.svg`, each atomically; equal results give equal bytes."""
    figure = forest_figure(result)
    png, svg = (run_dir / FOLDER / f"{NAME}.{ending}" for ending in ("png", "svg"))
    save_png(figure, png)
    # Without these two, each file would have random names inside and the time of its making.
    with mpl.rc_context({"svg.hashsalt": NAME}):
        save_figure(figure, svg, format="svg", metadata={"Date": None})
    return [png, svg]
