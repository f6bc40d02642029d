"""ROC of a classification run: the mean over folds with its band, and the curve of each fold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from utils.report.charts.chart import Chart, Key, Plot, left_out_text, look, of_models, points_per_curve, sentences
from utils.report.charts.svg import thinned_steps
from utils.runs.class_words import ClassWords
from utils.runs.predictions import output_columns
from utils.statistics.roc_band import RocBand, roc_band
from utils.statistics.survival_stats import UndefinedMetricError

_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def roc_charts(
    tables: Mapping[int, pd.DataFrame],
    *,
    seed: int,
    n_resamples: int = 1000,
    words: ClassWords | None = None,
    is_ensemble: bool = False,
) -> list[Chart]:
    """One chart for two classes (class 1 against class 0), else one chart per class against the rest.

    The mean and its pointwise 95 % band are those of `utils.statistics.roc_band.roc_band`. Folds are never pooled. A
    class that no fold defines has a chart without a picture, whose note says why. `words` name the classes;
    `is_ensemble`: the one table is of the ensemble of folds.
    """
    n_classes = len(output_columns(next(iter(tables.values()))))
    words = words or ClassWords.numbered(n_classes)
    charts = []
    for positive in [1] if n_classes == 2 else range(n_classes):
        title = f"ROC, {words.against(positive)}"
        try:
            band = roc_band(tables, positive, seed=seed, n_resamples=n_resamples)
        except UndefinedMetricError as error:
            charts.append(Chart(title, "", f"No curve: {error}."))
            continue
        charts.append(_chart(band, title, is_ensemble=is_ensemble))
    return charts


def _chart(band: RocBand, title: str, *, is_ensemble: bool) -> Chart:
    auc, low, high = band.mean_auc.value, band.mean_auc.low, band.mean_auc.high
    limits = f"{low:.3f}–{high:.3f}" if low is not None and high is not None else "no limits"
    heavy, folds = ("ensemble", {}) if is_ensemble else ("mean", band.folds)
    legend = [
        Key(f"{heavy} AUC {auc:.3f} ({limits})", "ink"),
        Key("95 % band", "s7", "band"),
        *(Key(f"fold {fold}: {band.auc[fold]:.3f}", f"{look(i)} thin") for i, fold in enumerate(folds)),
    ]
    plot = Plot((0, 1), (0, 1), legend=legend, height=None)
    plot.x_axis(_TICKS, "false positive rate (1 - specificity)")
    plot.y_axis(_TICKS, "true positive rate (sensitivity)")
    grid = band.false_positive
    coarse = np.arange(0, len(grid), 2)
    plot.band(grid[coarse], band.low[coarse], band.high[coarse], 7)
    plot.diagonal()
    for index, (false_rate, true_rate) in enumerate(folds.values()):
        kept = thinned_steps(plot.x(false_rate), plot.y(true_rate), points_per_curve(len(band.folds) + 2))
        plot.line(false_rate[kept], true_rate[kept], index, more="thin")
    plot.line(np.append(0, grid), np.append(0, band.mean), 0, more="ink")
    plot.frame()
    plot.hover(heavy, -1, grid[coarse], band.mean[coarse], low=band.low[coarse], high=band.high[coarse])
    for index, (fold, (false_rate, true_rate)) in enumerate(folds.items()):
        plot.hover(f"fold {fold}", index, grid[coarse], np.interp(grid[coarse], false_rate, true_rate))
    whose = of_models(len(band.auc), is_ensemble=is_ensemble)
    description = f"Mean AUC {auc:.3f}, 95 % interval {limits}, over {whose}."
    return Chart(title, plot.svg(title, description, x_name="false positive rate"), _note(band, is_ensemble))


def _note(band: RocBand, is_ensemble: bool) -> str:
    resamples = f"{band.n_used} resamples of the patients{'' if is_ensemble else ' within folds'}"
    if band.n_skipped:
        resamples += f" ({band.n_skipped} with {'one class' if is_ensemble else 'a fold of one class'} were skipped)"
    heavy = "Heavy: mean of the folds' sensitivity at each false positive rate; thin: each fold with its AUC; "
    return sentences(
        f"{'' if is_ensemble else heavy}{'Dotted' if is_ensemble else 'dotted'}: chance.",
        f"Band: pointwise 95 % limits, Wilson's with the variance over {resamples}; they held the true sensitivity in "
        "74 to 100 % of simulated folds of 15 cases, and in 89 to 100 % of larger ones. Interval of the AUC: DeLong's, "
        "on the logit scale, exact for separated classes"
        f"{f'; none: {band.mean_auc.reason}' if band.mean_auc.reason else ''}. The trained models are held fixed.",
        left_out_text(band.left_out),
    )
