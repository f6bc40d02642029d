"""Learning curves of a run, from the log of each fold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import MaxNLocator

from utils.errors import UserError
from utils.figures.plotting import BLUE, GREEN, GREY, VERMILION, new_figure, tidy

METRIC = {"cls": ("val_f1", "macro F1, validation"), "surv": ("val_c_index", "C-index, validation")}
_METRIC_COLUMNS = tuple(name for name, _ in METRIC.values())
_REQUIRED = ("epoch", "train_loss", "val_loss", "best")
_PER_ROW = 4


def read_log(path: Path) -> pd.DataFrame:
    """The columns of `log.csv` that are drawn: a row per epoch, float64, NaN for an empty cell (undefined then).

    Raises:
        UserError: the file is unreadable, lacks a column, or holds something else than numbers.
    """
    advice = "train the fold again or remove the file"
    try:
        log = pd.read_csv(path, usecols=lambda name: name in (*_REQUIRED, *_METRIC_COLUMNS), dtype=np.float64)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {advice}.") from error
    except ValueError as error:  # includes pandas' own errors for damaged and empty files
        raise UserError(f"{path}: expected a table of numbers, found something else ({error}); {advice}.") from error
    missing = [name for name in _REQUIRED if name not in log.columns]
    if missing:
        raise UserError(f"{path}: column {missing[0]} is missing (found {', '.join(log.columns)}); {advice}.")
    return log


def best_epoch(log: pd.DataFrame) -> float | None:
    """The epoch of the checkpoint: the last row with `best` = 1; None where there is none."""
    epochs = log.loc[log["best"] == 1, "epoch"]
    return float(epochs.iloc[-1]) if len(epochs) else None


def learning_curves(logs: dict[int, pd.DataFrame], task: str, title: str) -> Figure:
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
            metric_axes.set_ylabel(METRIC[task][1], fontsize=9)
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


def _draw_metric(axes: Axes, log: pd.DataFrame, task: str) -> None:
    name = METRIC[task][0]
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
