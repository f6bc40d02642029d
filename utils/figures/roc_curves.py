"""ROC curves of the test folds of a classification run."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score, roc_curve

from utils.figures.plotting import GREY, add_legend, add_note, line_style, new_figure, panels, tidy
from utils.runs.predictions import output_columns
from utils.statistics.metrics import missing_classes


def roc_curves(tables: dict[int, pd.DataFrame], title: str) -> Figure:
    """True against false positive rate over all thresholds, from the prediction table of each fold.

    Two classes: the curves of class 1, a curve per fold in one panel. More classes: a panel per fold with a curve per
    class, that class against the rest. Folds are never pooled: the scores of different models have no common scale.
    A curve that the labels do not define is left out and the legend says why.
    """
    n_classes = len(output_columns(next(iter(tables.values()))))
    if n_classes == 2:
        figure = new_figure(5.4, 5.6, f"{title}\nROC of the test folds, class 1 against class 0")
        axes = figure.add_subplot()
        for index, (fold, table) in enumerate(tables.items()):
            _draw_curve(axes, table, positive=1, name=f"fold {fold}", index=index)
        _finish(axes, n_panels=1)
        return figure
    figure, all_axes = panels(len(tables), f"{title}\nROC of the test folds, each class against the rest")
    for axes, (fold, table) in zip(all_axes, tables.items(), strict=True):
        if table["label"].nunique() == 1:
            add_note(axes, f"no curves ({_why_undefined(table)})")
        else:
            for index in range(n_classes):
                _draw_curve(axes, table, positive=index, name=f"class {index}", index=index)
        axes.set_title(f"fold {fold}", fontsize=10)
        _finish(axes, n_panels=len(tables))
    return figure


def _draw_curve(axes: Axes, table: pd.DataFrame, positive: int, name: str, index: int) -> None:
    is_positive = (table["label"] == positive).to_numpy()
    score = table[f"prob_{positive}"].to_numpy()
    if is_positive.all() or not is_positive.any():
        add_note(axes, f"{name}: no curve ({_why_undefined(table)})")
        return
    false_positive, true_positive, _ = roc_curve(is_positive, score, drop_intermediate=False)
    auc = roc_auc_score(is_positive, score)
    label = f"{name}: AUC {auc:.3f} ({is_positive.sum()} positive, {(~is_positive).sum()} negative)"
    axes.plot(false_positive, true_positive, label=label, **line_style(index))


def _why_undefined(table: pd.DataFrame) -> str | None:
    return missing_classes(table["label"].to_numpy(), len(output_columns(table)))


def _finish(axes: Axes, n_panels: int) -> None:
    ends = np.array([0.0, 1.0])
    axes.plot(ends, ends, color=GREY, linestyle=":", linewidth=1, label="chance")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel("false positive rate (1 - specificity)", fontsize=9)
    axes.set_ylabel("true positive rate (sensitivity)", fontsize=9)
    add_legend(axes, "lower right", n_panels)
    tidy(axes)
