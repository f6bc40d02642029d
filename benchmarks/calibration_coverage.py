"""How often the limits of calibration slopes and of shares at a threshold hold the truth, by simulation.

`python -m benchmarks.calibration_coverage` prints a Markdown table for models that are calibrated: slope 1, intercept
0. Labels are drawn from the probabilities, and times from the hazards; sensitivity and specificity are of binormal
scores (AUC 0.85) at a threshold that other cases have chosen. A second table has the calibration error of calibrated
models beside the value that is printed as expected of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist

import numpy as np

from utils.files.text_table import markdown_table
from utils.statistics.calibration_slope import logistic_calibration, survival_slope
from utils.statistics.class_calibration import calibration_error, calibration_error_if_calibrated
from utils.statistics.survival_stats import UndefinedMetricError
from utils.statistics.thresholds import at_threshold, youden_threshold

_DISTANCE = 2**0.5 * NormalDist().inv_cdf(0.85)  # between the means of the scores of the classes: AUC 0.85
_LOG_ODDS = {0.5: 0.0, 0.2: -1.7}  # mean of the logits for this prevalence, with a deviation of 1

Covered = dict[str, bool]


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser("python -m benchmarks.calibration_coverage", description=__doc__)
    parser.add_argument("--repeats", type=int, default=500, help="cohorts of each kind (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=(15, 60, 300), help="cases (default: 15 60 300)")
    parser.add_argument("--seed", type=int, default=1, help="of all draws (default: %(default)s)")
    return parser


def logistic(rng: np.random.Generator, n: int, prevalence: float) -> Covered:
    """Whether the limits hold slope 1 and intercept 0."""
    prob = 1 / (1 + np.exp(-rng.normal(_LOG_ODDS[prevalence], 1, n)))
    found = logistic_calibration(prob, rng.random(n) < prob, np.arange(n))
    return {
        "logistic slope": found.slope.low <= 1 <= found.slope.high,
        "logistic intercept": found.intercept.low <= 0 <= found.intercept.high,
    }


def survival(rng: np.random.Generator, n: int, prevalence: float) -> Covered:
    """Whether the limits hold slope 1: proportional hazards exp(x), about `1 - prevalence` of the cases censored."""
    x = rng.normal(0, 0.8, n)
    death, censoring = rng.exponential(np.exp(-x)), rng.exponential(1 / (1 / prevalence - 1), n)
    found = survival_slope(death <= censoring, np.minimum(death, censoring), np.exp(-0.5 * np.exp(x)))
    return {"Cox slope": found.slope.low <= 1 <= found.slope.high}


def threshold(rng: np.random.Generator, n: int, prevalence: float) -> Covered:
    """Whether the limits hold what is true at the threshold that n validation cases have chosen."""
    validation, label = ((rng.random(n) < prevalence).astype(int) for _ in range(2))
    t = youden_threshold(validation, rng.normal(_DISTANCE * validation))
    found = at_threshold(label, rng.normal(_DISTANCE * label), t, np.arange(n))
    true = {"sensitivity": 1 - NormalDist().cdf(t - _DISTANCE), "specificity": NormalDist().cdf(t)}
    limits = {name: (found[name].low, found[name].high) for name in true}
    return {
        name: low <= true[name] <= high for name, (low, high) in limits.items() if low is not None and high is not None
    }


def coverage_rows(repeats: int, sizes: Sequence[int], seed: int) -> Iterator[list[str]]:
    """A row per interval, number of cases and prevalence: coverage, and the share of cohorts without limits."""
    yield ["limits of", "cases", "prevalence", "coverage", "undefined"]
    kinds: tuple[Callable[[np.random.Generator, int, float], Covered], ...] = (logistic, survival, threshold)
    for kind in kinds:
        for n in sizes:
            for prevalence in _LOG_ODDS:
                rng = np.random.default_rng([seed, n, round(100 * prevalence)])
                held: dict[str, list[bool]] = {}
                for _ in range(repeats):
                    try:
                        covered = kind(rng, n, prevalence)
                    except UndefinedMetricError:
                        continue
                    for name, is_held in covered.items():
                        held.setdefault(name, []).append(is_held)
                for name, values in held.items():
                    undefined = 1 - len(values) / repeats
                    yield [name, str(n), f"{prevalence:g}", f"{np.mean(values):.3f}", f"{undefined:.3f}"]


def error_rows(repeats: int, sizes: Sequence[int], seed: int) -> Iterator[list[str]]:
    """A row per number of cases: mean calibration error of calibrated models, and mean of what is expected of them."""
    yield ["cases", "ECE", "expected", "standard error of the difference"]
    for n in sizes:
        rng = np.random.default_rng([seed, n])
        pairs = []
        for _ in range(repeats):
            positive = 1 / (1 + np.exp(-rng.normal(0, 1.5, n)))
            prob, label = np.stack([1 - positive, positive], axis=1), (rng.random(n) < positive).astype(int)
            patient = np.arange(n)
            expected = calibration_error_if_calibrated(prob, patient, seed=seed, n_draws=200)
            pairs.append((calibration_error(prob, label, patient), expected))
        error, expected = np.array(pairs).T
        spread = np.std(error - expected) / len(pairs) ** 0.5
        yield [str(n), f"{error.mean():.4f}", f"{expected.mean():.4f}", f"{spread:.4f}"]


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables."""
    args = get_args_parser().parse_args(argv)
    for rows in (coverage_rows, error_rows):
        sys.stdout.write(markdown_table(list(rows(args.repeats, args.sizes, args.seed))) + "\n\n")


if __name__ == "__main__":
    main()
