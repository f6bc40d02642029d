"""How often the comparison of two models finds a difference: where there is none, and where there is one.

`python -m benchmarks.comparison_size` simulates cohorts in 4 folds, two models of 3 seeds each, and prints the share of
p values below 0.05 (in %) for `utils.statistics.paired_difference` and for other tests of the same difference:

- patients alone: the trained models held fixed, folds independent (a paired bootstrap of the patients says the same);
- corrected t: Nadeau and Bengio's over the 4 folds (of the mean over seeds), and over the 12 pairs of fold and seed;
- hierarchical bootstrap: seeds of each model and fold, and patients of each fold, drawn with replacement;
- without the folds: patients and seeds.
- factor on all: the correction for the folds on the whole variance of the patients, whatever seeds share of it.

The nulls: the same model trained twice with other seeds (a strength of its own in each fold and seed, and scores that
differ); two models that are fixed, so that neither folds nor seeds matter; two ridge regressions on features of
their own, fitted on bootstrapped training cases of each fold: on noise, and on a signal that both see alike.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats
from tqdm import tqdm

from utils.files.text_table import markdown_table
from utils.statistics.delete_one import DeleteOne, aucs, concordances
from utils.statistics.paired_difference import FoldPair, difference_of_folds, patient_variance, seed_variances

N_FOLDS = 4
_FEATURES = 20
_DRAWS = 400  # of the hierarchical bootstrap
_MODELS = ("ours", "other")


@dataclass(frozen=True)
class Cohort:
    """n cases: `outcome` (n,) is the class (0 or 1), or minus the log of the survival time; `fold` (n,)."""

    metric: str
    outcome: np.ndarray
    event: np.ndarray
    fold: np.ndarray


Scores = Callable[[Cohort, int, np.random.Generator], np.ndarray]  # -> (2 models, seeds, n)


def draw_cohort(metric: str, n: int, rng: np.random.Generator) -> Cohort:
    """Half of the cases of class 1, or a third of the survival times censored; folds of equal size."""
    outcome = rng.permutation(np.arange(n) % 2).astype(float) if metric == "auc" else -np.log(rng.exponential(size=n))
    event = np.ones(n, dtype=bool) if metric == "auc" else rng.random(n) < 2 / 3
    fold = np.empty(n, dtype=np.int64)
    for part in (outcome == 1, outcome != 1) if metric == "auc" else (np.ones(n, dtype=bool),):
        members = rng.permutation(np.flatnonzero(part))
        fold[members] = np.arange(len(members)) % N_FOLDS
    return Cohort(metric, outcome, event, fold)


def same_model(cohort: Cohort, n_seeds: int, rng: np.random.Generator) -> np.ndarray:
    """One training procedure under other seeds: strength 1.2 with a deviation of 0.15, scores correlated by 0.7."""
    n = len(cohort.outcome)
    strength = 1.2 + 0.15 * rng.normal(size=(2, n_seeds, N_FOLDS))
    shared, own = rng.normal(size=n), rng.normal(size=(2, n_seeds, n))
    return strength[:, :, cohort.fold] * cohort.outcome + sqrt(0.7) * shared + sqrt(0.3) * own


def fixed_models(advantage: float) -> Scores:
    """Two scores that no training changes; the first one is stronger by `advantage`."""

    def scores(cohort: Cohort, n_seeds: int, rng: np.random.Generator) -> np.ndarray:
        n = len(cohort.outcome)
        strength = 1.2 + np.array([advantage, 0.0])[:, None]
        score = strength * cohort.outcome + sqrt(0.5) * rng.normal(size=n) + sqrt(0.5) * rng.normal(size=(2, n))
        return np.repeat(score[:, None], n_seeds, axis=1)

    return scores


def ridge_models(signal: float, advantage: float = 0.0) -> Scores:
    """Ridge regressions on 20 features of each model, which carry the outcome with the strength `signal` in all.

    A seed draws the cases of the training folds with replacement. A fold's model predicts its test cases.
    """

    def scores(cohort: Cohort, n_seeds: int, rng: np.random.Generator) -> np.ndarray:
        n, centred = len(cohort.outcome), cohort.outcome - cohort.outcome.mean()
        found = np.empty((2, n_seeds, n))
        for model in range(2):
            slope = (signal + (advantage if model == 0 else 0.0)) / sqrt(_FEATURES)
            x = rng.normal(size=(n, _FEATURES)) + slope * centred[:, None]
            for fold in range(N_FOLDS):
                training, test = np.flatnonzero(cohort.fold != fold), cohort.fold == fold
                for seed in range(n_seeds):
                    drawn = rng.choice(training, len(training))
                    gram = x[drawn].T @ x[drawn] + np.eye(_FEATURES)
                    found[model, seed, test] = x[test] @ np.linalg.solve(gram, x[drawn].T @ centred[drawn])
        return found

    return scores


SCENARIOS: dict[str, Scores] = {
    "null: same model, other seeds": same_model,
    "null: fixed models": fixed_models(0.0),
    "null: ridge on noise": ridge_models(0.0),
    "null: ridge, weak signal": ridge_models(0.5),
    "null: ridge, strong signal": ridge_models(1.5),
    "a difference: fixed models": fixed_models(0.4),
    "a difference: ridge": ridge_models(1.0, 0.5),
}


def fold_pairs(cohort: Cohort, scores: np.ndarray) -> dict[int, FoldPair]:
    """Metric and influences of each model, seed and fold."""
    pairs = {}
    for fold in range(N_FOLDS):
        test = cohort.fold == fold
        patients, values = np.flatnonzero(test), {}
        for number, model in enumerate(_MODELS):
            for seed in range(scores.shape[1]):
                values[model, seed] = _delete_one(cohort, test, scores[number, seed, test], patients)
        pairs[fold] = FoldPair(tuple(range(scores.shape[1])), patients, values)
    return pairs


def _delete_one(cohort: Cohort, test: np.ndarray, score: np.ndarray, patients: np.ndarray) -> DeleteOne:
    order = np.arange(len(patients))
    if cohort.metric == "auc":
        values = aucs(cohort.outcome[test].astype(int), np.stack([-score, score], axis=1), order)
    else:
        values = concordances(cohort.event[test], np.exp(-cohort.outcome[test]), score, order)
    return DeleteOne(float(values[0]), values[1:], patients)


def p_values(folds: Mapping[int, FoldPair], rng: np.random.Generator) -> dict[str, float]:
    """The p value of each test."""
    pairs, n_seeds = list(folds.values()), len(folds[0].seeds)
    result = difference_of_folds(folds, {})
    differences = np.array([fold.metric("ours") - fold.metric("other") for fold in pairs])  # (folds, seeds)
    d, of_patients, (between, shared) = differences.mean(), patient_variance(pairs), seed_variances(pairs)
    f_patients, f_seeds = result.n_cases - N_FOLDS, 2 * N_FOLDS * (n_seeds - 1)
    of_seeds = max(0.0, between - shared)

    def with_factor(factor: float) -> float:
        one, both = factor * of_patients, factor * of_patients + of_seeds
        return _p(d, both, both**2 / (one**2 / f_patients + of_seeds**2 / f_seeds))

    ratio = 1 / (N_FOLDS - 1)  # test cases over training cases
    return {
        "paired_difference": 1.0 if result.p is None else result.p,
        "patients alone": _p(d, of_patients, f_patients),
        "without the folds": with_factor(1.0),
        "factor on all": with_factor(2 - 1 / N_FOLDS),
        "hierarchical bootstrap": _bootstrap_p(pairs, rng),
        "corrected t, folds": _p(d, differences.mean(axis=1).var(ddof=1) * (1 / N_FOLDS + ratio), N_FOLDS - 1),
        "corrected t, folds x seeds": _p(
            d, differences.var(ddof=1) * (1 / differences.size + ratio), differences.size - 1
        ),
    }


def _p(difference: float, variance: float, degrees: float) -> float:
    if variance == 0:  # folds of a few cases that all differ by the same
        return 1.0 if difference == 0 else 0.0
    return float(2 * stats.t.sf(abs(difference) / sqrt(variance), degrees))


def _bootstrap_p(pairs: Sequence[FoldPair], rng: np.random.Generator) -> float:
    """Metrics of drawn patients to first order, from the influences, which are exact in the mean."""
    total = np.zeros(_DRAWS)
    for fold in pairs:
        n, n_seeds = len(fold.patients), len(fold.seeds)
        copies = rng.multinomial(n, np.full(n, 1 / n), size=_DRAWS)
        for sign, model in ((1, "ours"), (-1, "other")):
            drawn = fold.metric(model) + copies @ fold.influence(model).T  # (draws, seeds)
            chosen = rng.integers(0, n_seeds, size=(_DRAWS, n_seeds))
            total += sign * np.take_along_axis(drawn, chosen, axis=1).mean(axis=1) / len(pairs)
    smaller = min((total <= 0).sum(), (total >= 0).sum())
    return min(1.0, 2 * (1 + int(smaller)) / (_DRAWS + 1))


def rejections(
    scores: Scores, metric: str, n: int, *, repeats: int, n_seeds: int, seed: int
) -> tuple[dict[str, float], list[float]]:
    """{test: % of p values below 0.05} over simulated cohorts of n cases, and the mean metric of either model."""
    rng, found, means = np.random.default_rng([seed, n]), [], []
    for _ in tqdm(range(repeats), f"{n} cases", leave=False, disable=None):
        cohort = draw_cohort(metric, n, rng)
        folds = fold_pairs(cohort, scores(cohort, n_seeds, rng))
        found.append(p_values(folds, rng))
        means.append([np.mean([fold.metric(model).mean() for fold in folds.values()]) for model in _MODELS])
    shares = {test: 100 * float(np.mean([p[test] < 0.05 for p in found])) for test in found[0]}
    return shares, [float(mean) for mean in np.mean(means, axis=0)]


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison_size", allow_abbrev=False)
    parser.add_argument("--metric", choices=("auc", "c_index"), default="auc", help="default: %(default)s")
    parser.add_argument("--cases", type=int, nargs="+", default=[60, 240, 1200], help="default: 60 240 1200")
    parser.add_argument("--repeats", type=int, default=1000, help="cohorts of each line (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each model (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation (default: %(default)s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, line by line."""
    args = get_args_parser().parse_args(argv)
    rows: list[list[str]] = []
    for name, scores in SCENARIOS.items():
        for n in args.cases:
            options = {"repeats": args.repeats, "n_seeds": args.seeds, "seed": args.seed}
            shares, (ours, other) = rejections(scores, args.metric, n, **options)
            if not rows:
                rows.append(["scenario", "cases", args.metric, *shares])
            rows.append([name, str(n), f"{ours:.2f}, {other:.2f}", *(f"{share:.1f}" for share in shares.values())])
            sys.stderr.write(" | ".join(rows[-1]) + "\n")
    sys.stdout.write(markdown_table(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
