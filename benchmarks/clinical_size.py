"""How often the clinical question finds something where there is nothing: `python -m benchmarks.clinical_size`.

Cohorts whose slides say nothing beyond a covariate go through four-fold cross-validation with a ridge model, and their
out-of-fold risks through `utils.clinical.models`. Printed is the share of cohorts in which the likelihood-ratio test of
the risk added to the covariate has p < 0.05 (the 95 % interval of the ratio leaves out 1 about as often), and the same
of the p that is corrected for models that share training cases: 5 % where a test keeps its promise.

Two worlds: `noise` (32 features that say nothing) and `age` (they know the covariate, and nothing else of the outcome).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from benchmarks.martingale import martingale_residuals
from utils.clinical.models import fit_models
from utils.clinical.predicted_cases import PredictedCases
from utils.files.text_table import markdown_table

N_FOLDS, N_FEATURES, RIDGE = 4, 32, 10.0
WORLDS, TASKS = ("noise", "age"), ("surv", "cls")
SIZES = (60, 240, 1200)
_EFFECT = 0.5  # log hazard (or odds) per standard deviation of the covariate
_LEVEL = 0.05


def simulated(task: str, world: str, n: int, rng: np.random.Generator) -> tuple[PredictedCases, np.ndarray]:
    """The test cases of a cross-validated ridge model, and the covariate (n, 1)."""
    age = rng.standard_normal(n)
    features = rng.standard_normal((n, N_FEATURES))
    if world == "age":
        features[:, 0] = age + 0.5 * features[:, 0]
    fold = rng.permutation(np.arange(n) % N_FOLDS)
    if task == "surv":
        death, censoring = rng.exponential(np.exp(-_EFFECT * age)), rng.exponential(1.5, n)
        time, outcome = np.minimum(death, censoring), death <= censoring
        target = martingale_residuals(outcome, time)
    else:
        time, outcome = None, rng.random(n) < 1 / (1 + np.exp(-_EFFECT * age))
        target = outcome - outcome.mean()
    score = np.zeros(n)
    for k in range(N_FOLDS):
        train, test = fold != k, fold == k
        gram = features[train].T @ features[train] + RIDGE * np.eye(N_FEATURES)
        score[test] = features[test] @ np.linalg.solve(gram, features[train].T @ (target[train] - target[train].mean()))
    run = {"task": task}
    cases = PredictedCases(run, np.arange(n).astype(str), fold, score, outcome, time, {}, (), {})
    return cases, ((age - age.mean()) / age.std())[:, None]


def sizes(task: str, world: str, n: int, repeats: int, seed: int) -> tuple[float, float, int]:
    """Shares of cohorts with p < 0.05 and with corrected p < 0.05, and how many had an estimate."""
    rng = np.random.default_rng([seed, TASKS.index(task), WORLDS.index(world), n])
    found = []
    for _ in range(repeats):
        cases, covariate = simulated(task, world, n, rng)
        test = fit_models(cases, covariate, ["age"])["tests"]["risk_added"]
        if test["p"] is not None:
            found.append((test["p"], test["p_corrected"]))
    plain, corrected = (np.array(found).reshape(-1, 2) < _LEVEL).mean(axis=0)
    return float(plain), float(corrected), len(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clinical_size", description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000, help="cohorts of each kind and size")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="cases of a cohort")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    rows = [["task", "features know", "cases", "p < 0.05", "corrected p < 0.05", "cohorts"]]
    for task in TASKS:
        for world in WORLDS:
            for n in args.sizes:
                *shares, defined = sizes(task, world, n, args.repeats, args.seed)
                shown = [f"{100 * share:.1f} %" for share in shares]
                rows.append([task, "nothing" if world == "noise" else "the covariate", str(n), *shown, str(defined)])
    sys.stdout.write(markdown_table(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
