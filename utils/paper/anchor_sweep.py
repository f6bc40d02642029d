"""MiCo with different numbers of anchors: a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from utils.figures.palette import BLACK, SERIES
from utils.figures.plotting import legend_entries, line_style, new_figure, save_figure, save_png, tidy
from utils.files.phrases import listed
from utils.paper.cells import Cell, mean_over_cohorts
from utils.paper.grids import ColumnGroup, Footnotes, PaperTable, TableRow, group_entries, metric_cell
from utils.paper.layout import CELL_RULES
from utils.paper.planned_results import PlannedResults, Variant
from utils.paper.published import ANCHORS_TRIED, BEST_ANCHORS, SOURCE
from utils.runs.run_plan import MICO
from utils.runs.tasks import METRIC_WORDS, TASKS, TASKS_OF_THE_PAPER

NAME = "anchor_sweep"
_SPREAD = 0.05  # how far apart curves stand at one number of anchors, in doublings: error bars stay readable


@dataclass(frozen=True)
class SweepCurve:
    """A cohort, or their mean, over the numbers of anchors.

    `value` and `std` are (n,), NaN where there is none; `is_complete` (n,) whether each planned fold and seed is there.
    """

    name: str
    n_clusters: np.ndarray
    value: np.ndarray
    std: np.ndarray
    is_complete: np.ndarray


def sweep_table(results: PlannedResults) -> PaperTable:
    """C-index and AUC per number of anchors: a column per cohort, and the mean of a task with two or more."""
    mico, notes = Variant(MICO, results.main_formulation()), Footnotes()
    columns = [
        ColumnGroup(task.name, (task.metric,), has_mean=len(results.cohorts(task.name)) > 1)
        for task in TASKS_OF_THE_PAPER
    ]
    numbers = sweep_numbers(results)
    rows = [
        TableRow(
            (str(n),), tuple(entry for group in columns for entry in group_entries(results, group, mico, notes, n))
        )
        for n in numbers
    ]
    tried = f"Published: {listed(ANCHORS_TRIED)} anchors were tried and {BEST_ANCHORS} was best ({SOURCE})."
    return PaperTable(
        name=NAME,
        title=f"{mico.name} with different numbers of anchors",
        header=("anchors", *(header for group in columns for header in group.headers(results))),
        rows=tuple(rows),
        explanation=(*CELL_RULES, tried),
        notes=notes.lines(),
    )


def sweep_numbers(results: PlannedResults) -> list[int]:
    """The numbers of anchors that the plan has for the full MiCo, ascending."""
    mico = Variant(MICO, results.main_formulation())
    return sorted({run.planned.n_clusters for run in results.runs if run.variant == mico})


def sweep_curves(results: PlannedResults, task: str) -> list[SweepCurve]:
    """A curve per cohort of the task, then the mean of two or more cohorts (where all of them have all folds)."""
    mico, metric, numbers = Variant(MICO, results.main_formulation()), TASKS[task].metric, sweep_numbers(results)
    cohorts = results.cohorts(task)
    cells = {name: [metric_cell(results, task, name, mico, metric, n) for n in numbers] for name in cohorts}
    curves = [_cohort_curve(name, numbers, of_cohort) for name, of_cohort in cells.items()]
    if len(cohorts) > 1:
        means = [mean_over_cohorts({name: cells[name][i] for name in cohorts})[0] for i in range(len(numbers))]
        complete = np.all([curve.is_complete for curve in curves], axis=0)
        value = np.array(means, dtype=np.float64)
        curves.append(SweepCurve("mean", np.array(numbers), value, np.full(len(numbers), np.nan), complete))
    return curves


def sweep_figure(results: PlannedResults) -> Figure:
    """A panel per task with MiCo runs: its metric over the number of anchors (log2), error bars = std over folds.

    The mean over cohorts has no error bars. A hollow marker is a value that lacks folds or seeds.
    """
    names = [task.name for task in TASKS_OF_THE_PAPER]
    tasks = [task for task in names if any(results.n_clusters(task, name) for name in results.cohorts(task))]
    name = Variant(MICO, results.main_formulation()).name
    title = f"{name} with different numbers of anchors\nmean ± population standard deviation over the test folds"
    figure = new_figure(max(5.2, 4.4 * len(tasks)), 4.6, title)
    for index, task in enumerate(tasks):
        axes = figure.add_subplot(1, len(tasks), index + 1)
        axes.set_title(TASKS[task].words, fontsize=10)
        _draw_panel(axes, sweep_curves(results, task), task)
    return figure


def write_sweep_figure(results: PlannedResults, output_dir: Path) -> list[Path]:
    """Write `anchor_sweep.png` and `anchor_sweep.svg`, each atomically; equal results give equal bytes."""
    figure = sweep_figure(results)
    png, svg = output_dir / f"{NAME}.png", output_dir / f"{NAME}.svg"
    save_png(figure, png)
    # Without these two, each file would have random names inside and the time of its making.
    with mpl.rc_context({"svg.hashsalt": NAME}):
        save_figure(figure, svg, format="svg", metadata={"Date": None})
    return [png, svg]


def _cohort_curve(name: str, numbers: Sequence[int], cells: Sequence[Cell]) -> SweepCurve:
    value = np.array([cell.mean for cell in cells], dtype=np.float64)  # None becomes NaN
    std = np.array([cell.std for cell in cells], dtype=np.float64)
    return SweepCurve(name, np.array(numbers), value, std, np.array([cell.is_complete for cell in cells]))


def _draw_panel(axes: Axes, curves: Sequence[SweepCurve], task: str) -> None:
    drawn = [curve for curve in curves if not np.isnan(curve.value).all()]
    if not drawn:
        _say(axes, "no results yet")
        return
    for index, curve in enumerate(drawn):
        style = {"color": BLACK, "linewidth": 2.4} if curve.name == "mean" else {"linewidth": 1.3} | _style(index)
        x = curve.n_clusters * 2.0 ** (_SPREAD * (index - (len(drawn) - 1) / 2))
        known = ~np.isnan(curve.std)
        bars: dict[str, Any] = {"ecolor": style["color"], "elinewidth": 0.9, "capsize": 2.5, "alpha": 0.55}
        axes.errorbar(x[known], curve.value[known], yerr=curve.std[known], fmt="none", zorder=3, **bars)
        axes.plot(x, curve.value, marker="o", markersize=5, label=curve.name, zorder=4, **style)
        lacking = ~curve.is_complete
        axes.plot(x[lacking], curve.value[lacking], "o", color=style["color"], mfc="white", markersize=5, zorder=5)
    if any((~curve.is_complete & ~np.isnan(curve.value)).any() for curve in drawn):
        axes.plot([], [], "o", color=BLACK, mfc="white", label="incomplete")
    numbers = drawn[0].n_clusters
    axes.set_xscale("log", base=2)
    axes.set_xlim(numbers[0] / 2**0.5, numbers[-1] * 2**0.5)
    axes.xaxis.set_major_locator(FixedLocator(numbers.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel("number of anchors", fontsize=9)
    axes.set_ylabel(METRIC_WORDS[TASKS[task].metric], fontsize=9)
    tidy(axes)
    handles, labels = legend_entries(axes)
    columns = max(1, min(4, 60 // (8 + max(map(len, labels)))))  # about 60 letters fit below a panel
    axes.legend(
        handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=columns, fontsize=8, frameon=False
    )


def _style(index: int) -> dict[str, Any]:
    """Colour and dashes of cohort `index`: those of `line_style` without black, which is that of the mean."""
    turn, place = divmod(index, len(SERIES) - 1)
    return line_style(turn * len(SERIES) + place + (place >= SERIES.index(BLACK)))


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=9)
    axes.set_axis_off()
