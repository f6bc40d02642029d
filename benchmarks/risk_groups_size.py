"""How often the tests of the risk halves find a difference where there is none: cross-validated models of noise.

    python -m benchmarks.risk_groups_size [--repeats 1000] [--cases 60 240 1200] [--features 5 50]

A cohort has features that say nothing about its survival. It is divided into 4 folds; each fold's risk comes from a
ridge regression on the martingale residuals of the other three (the first Newton step of a ridge Cox model), and its
test cases are divided at their median risk. Every figure of the table would be 5 % for a test that holds its size.

Models of different folds share half of their training cases, and each pair of cases of different folds counts twice:
once with either of them in the test part. So the sum over folds varies more than its variance says, at most by a
factor of 2, for which a test at 5 % rejects in 16.6 %. Stratification by fold does not change that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from benchmarks.martingale import martingale_residuals
from utils.files.text_table import markdown_table
from utils.statistics.group_effect import group_effect
from utils.statistics.survival_stats import logrank_p, risk_halves

N_FOLDS = 4
_CENSORED_BELOW = 1.5  # months, uniform: about half of the cases are censored
_LEVEL = 0.05
_TESTS = (
    "log-rank, pooled (released)",
    "log-rank, stratified by fold",
    "interval of the hazard ratio leaves out 1",
    "log-rank, fold 0 alone",
    "log-rank, stratified, chi-squared halved",
)


def get_args_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.risk_groups_size", description=str(__doc__).splitlines()[0]
    )
    parser.add_argument("--repeats", type=int, default=1000, help="cohorts of each size")
    parser.add_argument("--cases", type=int, nargs="+", default=[60, 240, 1200], help="sizes of a cohort")
    parser.add_argument("--features", type=int, nargs="+", default=[5, 50], help="numbers of noise features")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def main(args: argparse.Namespace) -> int:
    """Write the table."""
    sys.stdout.write(size_table(args.cases, args.features, repeats=args.repeats, seed=args.seed) + "\n")
    return 0


def size_table(cases: Sequence[int], features: Sequence[int], *, repeats: int, seed: int) -> str:
    """A row per size of cohort and number of features: how many percent of the cohorts each test rejects."""
    rows = [["cases", "features", *_TESTS]]
    for n_cases in cases:
        for n_features in features:
            rng = np.random.default_rng([seed, n_cases, n_features])
            rejects = np.array([_rejects(n_cases, n_features, rng) for _ in range(repeats)])
            rows.append([str(n_cases), str(n_features), *(f"{share:.1f} %" for share in 100 * rejects.mean(axis=0))])
    return markdown_table(rows)


def _rejects(n_cases: int, n_features: int, rng: np.random.Generator) -> tuple[bool, ...]:
    """Whether each of `_TESTS` rejects in one cohort; an undefined one does not."""
    x = rng.normal(size=(n_cases, n_features))
    death, censoring = rng.exponential(1.0, n_cases), rng.uniform(0, _CENSORED_BELOW, n_cases)
    event, time = death <= censoring, np.minimum(death, censoring)
    fold = rng.permutation(n_cases) % N_FOLDS
    high = np.zeros(n_cases, dtype=bool)
    for k in range(N_FOLDS):
        test = fold == k
        high[test] = risk_halves(x[test] @ _ridge(event[~test], time[~test], x[~test]))
    stratified = group_effect(event, time, high, fold)
    first = fold == 0
    p = (
        logrank_p(event, time, high),
        stratified.p,
        None,
        group_effect(event[first], time[first], high[first]).p,
        stratified.p and 2 * NormalDist().cdf(NormalDist().inv_cdf(max(stratified.p, 1e-300) / 2) / np.sqrt(2)),
    )
    rejected = [value is not None and value < _LEVEL for value in p]
    rejected[2] = stratified.low is not None and not stratified.low <= 1 <= (stratified.high or 0.0)
    return tuple(rejected)


def _ridge(event: np.ndarray, time: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Coefficients of a ridge regression on the martingale residuals."""
    penalty = 0.1 * len(x) * np.eye(x.shape[1])
    return np.linalg.solve(x.T @ x + penalty, x.T @ martingale_residuals(event, time))


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
