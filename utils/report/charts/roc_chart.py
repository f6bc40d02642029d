"""ROC of a classification run: the mean over folds with its band, and the curve of each fold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from utils.files.phrases import counted
from utils.report.charts.chart import Chart, Key, Plot, left_out_text, look, points_per_curve, sentences
from utils.report.charts.svg import thinned_steps
from utils.runs.predictions import output_columns
from utils.statistics.roc_band import RocBand, roc_band
from utils.statistics.survival_stats import UndefinedMetricError

_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def roc_charts(tables: Mapping[int, pd.DataFrame], *, seed: int, n_resamples: int = 1000) -> list[Chart]:
    """One chart for two classes (class 1 against class 0), else one chart per class against the rest.

    The mean and its pointwise 95 % band are those of `utils.statistics.roc_band.roc_band`. Folds are never pooled. A
    class that no fold defines has a chart without a picture, whose note says why.
    """
    n_classes = len(output_columns(next(iter(tables.values()))))
    charts = []
    for positive in [1] if n_classes == 2 else range(n_classes):
        title = "ROC, class 1 against class 0" if n_classes == 2 else f"ROC, class {positive} against the rest"
        try:
            band = roc_band(tables, positive, seed=seed, n_resamples=n_resamples)
        except UndefinedMetricError as error:
            charts.append(Chart(title, "", f"No curve: {error}."))
            continue
        charts.append(_chart(band, title))
    return charts


def _chart(band: RocBand, title: str) -> Chart:
    auc = float(np.mean(list(band.auc.values())))
    limits = f"{band.auc_low:.3f}–{band.auc_high:.3f}"
    legend = [
        Key(f"mean AUC {auc:.3f} ({limits})", "ink"),
        Key("95 % band", "s7", "band"),
        *(Key(f"fold {fold}: {area:.3f}", f"{look(i)} thin") for i, (fold, area) in enumerate(band.auc.items())),
    ]
    plot = Plot((0, 1), (0, 1), legend=legend, height=None)
    plot.x_axis(_TICKS, "false positive rate (1 - specificity)")
    plot.y_axis(_TICKS, "true positive rate (sensitivity)")
    grid = band.false_positive
    coarse = np.arange(0, len(grid), 2)
    plot.band(grid[coarse], band.low[coarse], band.high[coarse], 7)
    plot.diagonal()
    for index, (false_rate, true_rate) in enumerate(band.folds.values()):
        kept = thinned_steps(plot.x(false_rate), plot.y(true_rate), points_per_curve(len(band.folds) + 2))
        plot.line(false_rate[kept], true_rate[kept], index, more="thin")
    plot.line(np.append(0, grid), np.append(0, band.mean), 0, more="ink")
    plot.frame()
    plot.hover("mean", -1, grid[coarse], band.mean[coarse], low=band.low[coarse], high=band.high[coarse])
    for index, (fold, (false_rate, true_rate)) in enumerate(band.folds.items()):
        plot.hover(f"fold {fold}", index, grid[coarse], np.interp(grid[coarse], false_rate, true_rate))
    description = f"Mean AUC {auc:.3f}, 95 % interval {limits}, over {counted(len(band.auc), 'fold')}."
    return Chart(title, plot.svg(title, description, x_name="false positive rate"), _note(band))


def _note(band: RocBand) -> str:
    skipped = f" ({band.n_skipped} with a fold of one class were skipped)" if band.n_skipped else ""
    return sentences(
        "Heavy: mean of the folds' sensitivity at each false positive rate; thin: each fold with its AUC; dotted: "
        "chance.",
        f"Band and interval: 2.5 to 97.5 percentile of {band.n_used} resamples of the patients within folds{skipped}, "
        "pointwise, with the trained models held fixed.",
        left_out_text(band.left_out),
    )
