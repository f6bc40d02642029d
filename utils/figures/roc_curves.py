"""ROC curves of the test folds of a classification run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score, roc_curve

from utils.figures.palette import GREY
from utils.figures.plotting import add_legend, add_note, line_style, new_figure, panels, tidy
from utils.files.short_names import shortened_apart
from utils.runs.class_words import ClassWords
from utils.runs.predictions import output_columns
from utils.statistics.metrics import missing_classes

_LONGEST_NAME, _BESIDE = 28, 10  # letters of a class in the legend of a panel, and of one with its AUC in one line


def roc_curves(
    tables: Mapping[int, pd.DataFrame],
    title: str,
    words: ClassWords | None = None,
    *,
    heading: str = "ROC of the test folds",
    ensemble: pd.DataFrame | None = None,
) -> Figure:
    """True against false positive rate over all thresholds, from the prediction table of each fold.

    Two classes: the curves of class 1, a curve per fold in one panel. More classes: a panel per fold with a curve per
    class, that class against the rest. Folds are never pooled: the scores of different models have no common scale.
    A curve that the labels do not define is left out and the legend says why. `words` name the classes; `heading` says
    what cases these are. The `ensemble` of the folds, where there is one, comes first.
    """
    named = {f"fold {fold}": table for fold, table in tables.items()}
    if ensemble is not None:
        named = {"ensemble": ensemble, **named}
    n_classes = len(output_columns(next(iter(tables.values()))))
    words = words or ClassWords.numbered(n_classes)
    if n_classes == 2:
        figure = new_figure(5.4, 5.6, f"{title}\n{heading}, {words.against(1)}")
        axes = figure.add_subplot()
        for index, (name, table) in enumerate(named.items()):
            _draw_curve(axes, table, positive=1, name=name, index=index)
        _finish(axes, n_panels=1)
        return figure
    names = shortened_apart([words.full(index) for index in range(n_classes)], lambda name: len(name) <= _LONGEST_NAME)
    figure, all_axes = panels(len(named), f"{title}\n{heading}, each class against the rest")
    for axes, (name, table) in zip(all_axes, named.items(), strict=True):
        if table["label"].nunique() == 1:
            add_note(axes, f"no curves ({_why_undefined(table)})")
        else:
            for index in range(n_classes):
                _draw_curve(axes, table, positive=index, name=names[index], index=index)
        axes.set_title(name, fontsize=10)
        _finish(axes, n_panels=len(named))
    return figure


def _draw_curve(axes: Axes, table: pd.DataFrame, positive: int, name: str, index: int) -> None:
    is_positive = (table["label"] == positive).to_numpy()
    score = table[f"prob_{positive}"].to_numpy()
    if is_positive.all() or not is_positive.any():
        add_note(axes, f"{name}: no curve ({_why_undefined(table)})")
        return
    false_positive, true_positive, _ = roc_curve(is_positive, score, drop_intermediate=False)
    auc = roc_auc_score(is_positive, score)
    counts = f"({is_positive.sum()} positive, {(~is_positive).sum()} negative)"
    between = "\n" if len(name) > _BESIDE else " "
    label = f"{name}:{between}AUC {auc:.3f} {counts}"
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
