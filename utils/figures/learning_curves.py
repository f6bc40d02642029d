"""Learning curves of a run, from the log of each fold."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import MaxNLocator

from utils.figures.palette import BLUE, GREEN, GREY, VERMILION
from utils.figures.plotting import new_figure, tidy
from utils.runs.epoch_log import best_epoch
from utils.runs.tasks import METRIC_WORDS, Task

_PER_ROW = 4


def learning_curves(logs: dict[int, pd.DataFrame], task: Task, title: str) -> Figure:
    """Per fold: training and validation loss over epochs, and below it the validation metric of the task.

    The dashed line is the epoch of the checkpoint (lowest validation loss for survival, highest macro F1 for
    classification). Epochs in which a value is undefined are gaps.
    """
    columns = min(_PER_ROW, len(logs))
    blocks = -(-len(logs) // columns)
    figure = new_figure(max(2.9 * columns + 0.4, 5.0), 4.3 * blocks + 0.8, f"{title}\nlearning curves")
    grid = GridSpec(2 * blocks, columns, figure=figure)
    for index, (fold, log) in enumerate(logs.items()):
        block, column = divmod(index, columns)
        loss_axes = figure.add_subplot(grid[2 * block, column])
        metric_axes = figure.add_subplot(grid[2 * block + 1, column], sharex=loss_axes)
        _draw_loss(loss_axes, log, fold)
        _draw_metric(metric_axes, log, task)
        if column == 0:
            loss_axes.set_ylabel("loss", fontsize=9)
            metric_axes.set_ylabel(f"{METRIC_WORDS[task.curve]}, validation", fontsize=9)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8, frameon=False)
    return figure


def _draw_loss(axes: Axes, log: pd.DataFrame, fold: int) -> None:
    marker = _marker(log)
    axes.plot(log["epoch"], log["train_loss"], color=BLUE, marker=marker, label="training loss")
    axes.plot(log["epoch"], log["val_loss"], color=VERMILION, marker=marker, label="validation loss")
    best = best_epoch(log)
    axes.set_title(f"fold {fold}" + ("" if best is None else f" (best epoch {best:.0f})"), fontsize=9)
    axes.tick_params(labelbottom=False)
    _finish(axes, best)


def _draw_metric(axes: Axes, log: pd.DataFrame, task: Task) -> None:
    name = f"val_{task.curve}"
    if name in log.columns and log[name].notna().any():
        axes.plot(log["epoch"], log[name], color=GREEN, marker=_marker(log))
    else:
        axes.text(0.5, 0.5, "undefined\nin every epoch", transform=axes.transAxes, ha="center", va="center", fontsize=8)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("epoch", fontsize=9)
    _finish(axes, best_epoch(log))


def _finish(axes: Axes, best: float | None) -> None:
    if best is not None:
        axes.axvline(best, color=GREY, linestyle="--", linewidth=1, label="checkpoint (best epoch)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    tidy(axes)


def _marker(log: pd.DataFrame) -> str:
    """Points where a line alone could vanish: few epochs, or a value between two gaps."""
    return "." if len(log) <= 30 else ""
