"""Learning curves of a run: the loss and the validation metric over the epochs of each fold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from utils.files.phrases import counted
from utils.report.charts.chart import Chart, Key, Plot, look, points_per_curve, sentences
from utils.report.charts.scale import nice_ticks, padded
from utils.report.charts.svg import mark
from utils.runs.epoch_log import best_epoch
from utils.runs.tasks import METRIC_WORDS, Task

_LOSS = (("train_loss", "training", "thin"), ("val_loss", "validation", ""))


def learning_charts(logs: Mapping[int, pd.DataFrame], task: Task, unit: str = "") -> list[Chart]:
    """Training and validation loss, then the validation metric of the task; a curve per fold, its checkpoint marked.

    Args:
        logs: {fold: log as of `utils.runs.epoch_log.read_log`}; an undefined value (NaN) is a gap.
        task: whose metric is drawn.
        unit: what one prediction is about, by default as the task has it.
    """
    metric = METRIC_WORDS[task.curve]
    return [
        _chart(logs, "Loss over the epochs", "loss", _LOSS),
        _chart(
            logs,
            f"{metric} of the validation {unit or task.unit}s over the epochs",
            metric,
            ((f"val_{task.curve}", "validation", ""),),
        ),
    ]


def _chart(logs: Mapping[int, pd.DataFrame], title: str, axis: str, columns: tuple[tuple[str, str, str], ...]) -> Chart:
    drawn = {fold: log for fold, log in logs.items() if any(_has(log, name) for name, _, _ in columns)}
    missing = [str(fold) for fold in logs if fold not in drawn]
    gaps = f"Undefined in every epoch: fold {', '.join(missing)}." if missing else ""
    if not drawn:
        return Chart(title, "", sentences("No curve.", gaps))
    values = np.concatenate(
        [log[name].to_numpy() for log in drawn.values() for name, _, _ in columns if _has(log, name)]
    )
    low, high = padded(float(np.nanmin(values)), float(np.nanmax(values)))
    legend = [Key(f"fold {fold}", look(index)) for index, fold in enumerate(drawn)]
    last = max(float(log["epoch"].max()) for log in drawn.values())
    first = min(float(log["epoch"].min()) for log in drawn.values())
    plot = Plot(padded(first, last, 0.02), (low, high), legend=legend)
    whole = [tick for tick in nice_ticks(first, last) if tick == int(tick)]
    plot.x_axis(whole, "epoch")
    plot.y_axis(nice_ticks(low, high), axis)
    budget = points_per_curve(len(drawn) * len(columns))
    step = max(1, *(-(-len(log) // budget) for log in drawn.values()))
    for index, (fold, log) in enumerate(drawn.items()):
        kept = _kept(log, step)
        for name, word, more in columns:
            if _has(log, name):
                plot.line(log["epoch"].iloc[kept], log[name].iloc[kept], index, more=more)
                label = f"fold {fold}" if len(columns) == 1 else f"fold {fold}, {word}"
                plot.hover(label, index, log["epoch"].iloc[kept], log[name].iloc[kept])
    plot.frame()
    for index, log in enumerate(drawn.values()):
        _mark_checkpoint(plot, log, columns[-1][0], index)
    note = sentences(
        "Thin: training; thick: validation." if len(columns) == 2 else "",
        "The mark of each fold is the epoch of its checkpoint.",
        f"One epoch in {step} is drawn." if step > 1 else "",
        gaps,
    )
    return Chart(title, plot.svg(title, f"{axis} of {counted(len(drawn), 'fold')} over epochs.", x_name="epoch"), note)


def _has(log: pd.DataFrame, name: str) -> bool:
    return name in log.columns and bool(log[name].notna().any())


def _kept(log: pd.DataFrame, step: int) -> np.ndarray:
    """Every `step`-th row, the last one and the checkpoint."""
    kept = {*range(0, len(log), step), len(log) - 1, *np.flatnonzero(log["epoch"] == best_epoch(log)).tolist()}
    return np.array(sorted(kept))


def _mark_checkpoint(plot: Plot, log: pd.DataFrame, column: str, index: int) -> None:
    best = best_epoch(log)
    if best is None or not _has(log, column):
        return
    value = float(log.loc[log["epoch"] == best, column].iloc[-1])
    if not np.isnan(value):
        plot.add(mark(index, float(plot.x(best)), float(plot.y(value)), class_=f"mark s{index % 8}"))
