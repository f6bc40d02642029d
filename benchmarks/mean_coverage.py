"""How often the interval of a mean over cross-validated folds holds the true value.

`python -m benchmarks.mean_coverage` prints a table.

Ridge regressions on 20 features are fitted in 4 folds of simulated cohorts. The features are noise, or carry the class
(AUC) with a strength: two normal populations whose means lie `strength` apart. The true value of a run is the mean of
the true AUCs of its four models, which the interval is about (the trained models are held fixed); of noise it is 0.5,
for the C-index too. Printed are the coverage of `utils.statistics.interval.logit_interval`, that of the same without
`shared_training`, which takes folds as independent, and how often either lies below 0.5 or above it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np
from tqdm import tqdm

from utils.files.text_table import markdown_table
from utils.statistics.interval import Estimate, Interval, logit_interval, logit_limits
from utils.statistics.jackknife import concordance_jackknife
from utils.statistics.metric_intervals import class_auc

N_FOLDS, N_FEATURES = 4, 20
_PENALTY = 10.0
STRENGTHS = (0.0, 0.5, 1.0, 2.0)
HEADER = ("metric", "strength", "cases", "true value", "coverage", "above 0.5", "below 0.5", "as independent")


def runs(
    metric: str, strength: float, n: int, repeats: int, rng: np.random.Generator
) -> Iterator[tuple[float, list[Estimate]]]:
    """The true mean of each simulated run, and the estimates of its folds; runs with an undefined fold are left out."""
    direction = np.full(N_FEATURES, 1 / sqrt(N_FEATURES))
    for _ in tqdm(range(repeats), f"{metric}, {strength}, {n} cases", leave=False, disable=None):
        label = rng.permutation(np.arange(n) % 2)
        x = rng.normal(size=(n, N_FEATURES)) + strength * np.outer(label - 0.5, direction)
        time, event = rng.exponential(size=n), rng.random(n) < 2 / 3
        fold = np.empty(n, dtype=np.int64)
        for of_class in (0, 1):
            members = np.flatnonzero(label == of_class)
            fold[members] = np.arange(len(members)) % N_FOLDS
        outcome = label - 0.5 if metric == "AUC" else -np.log(time)
        true: list[float] = []
        estimates: list[Estimate | None] = []
        for k in range(N_FOLDS):
            training, test = fold != k, fold == k
            gram = x[training].T @ x[training] + _PENALTY * np.eye(N_FEATURES)
            weight = np.linalg.solve(gram, x[training].T @ (outcome[training] - outcome[training].mean()))
            score = x[test] @ weight
            cosine = float(weight @ direction) / float(np.linalg.norm(weight))
            true.append(NormalDist().cdf(strength * cosine / sqrt(2)))
            if metric == "AUC":
                estimates.append(class_auc(label[test] == 1, score, np.arange(len(score))))
            else:
                estimates.append(concordance_jackknife(event[test], time[test], score))
        known = [estimate for estimate in estimates if estimate is not None and estimate.variance]
        if len(known) == N_FOLDS:
            yield float(np.mean(true)), known


def as_independent(folds: Sequence[Estimate]) -> Interval:
    """The interval of the mean with the variance of independent folds."""
    value = float(np.mean([fold.value for fold in folds]))
    variance = sum(fold.variance or 0.0 for fold in folds) / len(folds) ** 2
    return Interval(value, *logit_limits(value, variance))


def row_of(metric: str, strength: float, n: int, repeats: int, seed: int) -> list[str]:
    """A line of the table."""
    found: list[tuple[bool, bool, bool]] = []
    plain: list[tuple[bool, bool, bool]] = []
    means = []
    for true, folds in runs(metric, strength, n, repeats, np.random.default_rng([seed, n])):
        interval, narrow = logit_interval(folds), as_independent(folds)
        means.append(true)
        for kept, one in ((found, interval), (plain, narrow)):
            low, high = float(one.low or 0.0), float(one.high or 1.0)
            kept.append((low <= true <= high, low > 0.5, high < 0.5))
    shares = [f"{100 * share:.1f} %" for share in np.mean(found, axis=0)]
    independent = 100 * np.mean([covered for covered, *_ in plain])
    return [metric, f"{strength:g}", str(n), f"{np.mean(means):.3f}", *shares, f"{independent:.1f} %"]


def get_args_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mean_coverage", allow_abbrev=False)
    parser.add_argument("--cases", type=int, nargs="+", default=[60, 240, 1200], help="default: 60 240 1200")
    parser.add_argument("--repeats", type=int, default=1000, help="cohorts of each line (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the draws (default: %(default)s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    args = get_args_parser().parse_args(argv)
    settings = [("AUC", strength) for strength in STRENGTHS] + [("C-index", 0.0)]
    rows = [list(HEADER)]
    for metric, strength in settings:
        for n in args.cases:
            rows.append(row_of(metric, strength, n, args.repeats, args.seed))
            sys.stderr.write(" | ".join(rows[-1]) + "\n")
    sys.stdout.write(markdown_table(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
