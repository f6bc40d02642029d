"""How often the printed 95 % intervals hold the true value: `python -m benchmarks.coverage [--repeats N] [--seed S]`.

Test folds are drawn from populations whose metrics are known (`benchmarks.coverage_cohorts`). Beside the intervals of
`utils.statistics.metric_intervals` stand percentiles of bootstrap resamples, which do worse for few cases and high
values. A coverage of 1,000 repeats is known to within 1.4 points. The points of the ROC band are measured in a tenth of
the repeats, as each takes a bootstrap.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np

from benchmarks.coverage_cohorts import Setting, settings, two_classes
from benchmarks.percentiles import percentiles
from utils.files.text_table import markdown_table
from utils.runs.tasks import METRIC_WORDS
from utils.statistics.metric_intervals import metric_intervals
from utils.statistics.roc_band import roc_band

SIZES = ((15, 1), (60, 1), (300, 1), (60, 4), (300, 4))  # cases, folds
N_RESAMPLES = 500
RATES = (0.1, 0.3)  # false positive rates at which the ROC band is measured
HEADER = ("metric", "population", "cases", "folds", "coverage", "width", "none", "points", "percentile: coverage")
_Limits = list[tuple[float, float]]


def get_args_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000, help="draws of each setting (1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the draws (1)")
    return parser


def main(args: Sequence[str] | None = None) -> None:
    """Print the table, row by row."""
    options = get_args_parser().parse_args(args)
    header, rule, *_ = markdown_table([list(HEADER), [""] * len(HEADER)]).splitlines()
    sys.stdout.write(f"{header}\n{rule}\n")
    for row in rows(options.repeats, options.seed):
        sys.stdout.write(f"| {' | '.join(row)} |\n")
        sys.stdout.flush()


def rows(repeats: int, seed: int) -> Iterator[list[str]]:
    """A row for each metric, population and size: cases in all, and folds over which a mean is taken."""
    for setting in settings():
        for n_cases, n_folds in SIZES:
            yield from _metric_rows(setting, n_cases, n_folds, repeats, np.random.default_rng(seed))
    for prevalence in (0.5, 0.2):
        for auc in (0.65, 0.85, 0.97):
            for n_cases, n_folds in SIZES:
                yield from _band_rows(auc, prevalence, n_cases, n_folds, max(1, repeats // 10), seed)


def _metric_rows(
    setting: Setting, n_cases: int, n_folds: int, repeats: int, generator: np.random.Generator
) -> Iterator[list[str]]:
    of_fold = n_cases // n_folds
    counts = generator.multinomial(of_fold, np.full(of_fold, 1 / of_fold), size=(n_folds, N_RESAMPLES))
    found: dict[str, _Limits] = {metric: [] for metric in setting.truth}
    before: dict[str, _Limits] = {metric: [] for metric in setting.truth}
    for _ in range(repeats):
        tables = [setting.draw(generator, of_fold) for _ in range(n_folds)]
        intervals = metric_intervals(dict(enumerate(tables)))
        for metric in setting.truth:
            overall = intervals[metric].overall
            found[metric].append(_numbers(overall.low, overall.high))
            before[metric].append(percentiles(metric, tables, counts))
    for metric, truth in setting.truth.items():
        words = [METRIC_WORDS[metric], f"{setting.words} ({truth:.3f})", str(n_cases), str(n_folds)]
        yield [*words, *measured(found[metric], truth), measured(before[metric], truth)[0]]


def _band_rows(
    auc: float, prevalence: float, n_cases: int, n_folds: int, repeats: int, seed: int
) -> Iterator[list[str]]:
    setting, generator = two_classes(auc, prevalence), np.random.default_rng(seed)
    found: dict[float, _Limits] = {rate: [] for rate in RATES}
    for repeat in range(repeats):
        tables = {fold: setting.draw(generator, n_cases // n_folds) for fold in range(n_folds)}
        band = roc_band(tables, 1, seed=repeat, n_resamples=200)
        for rate in RATES:
            at = round(rate * (len(band.false_positive) - 1))
            found[rate].append((float(band.low[at]), float(band.high[at])))
    normal = NormalDist()
    for rate in RATES:
        truth = normal.cdf(normal.inv_cdf(rate) + np.sqrt(2) * normal.inv_cdf(auc))
        words = [f"ROC band at {rate}", f"{setting.words} ({truth:.3f})", str(n_cases), str(n_folds)]
        yield [*words, *measured(found[rate], truth), ""]


def measured(limits: _Limits, truth: float) -> list[str]:
    """Coverage and mean width where there are limits, the share without any, and of limits that are a point."""
    low, high = np.array(limits).T
    known = ~np.isnan(low)
    if not known.any():
        return ["–", "–", "100 %", "–"]
    covered, width = (low <= truth) & (truth <= high), high - low
    points = (width[known] < 1e-9).mean()
    return [
        f"{100 * covered[known].mean():.1f} %",
        f"{width[known].mean():.3f}",
        f"{100 * (~known).mean():.1f} %",
        f"{100 * points:.1f} %",
    ]


def _numbers(low: float | None, high: float | None) -> tuple[float, float]:
    return (np.nan, np.nan) if low is None or high is None else (low, high)


if __name__ == "__main__":
    main()
