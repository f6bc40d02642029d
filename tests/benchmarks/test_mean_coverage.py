from __future__ import annotations

import numpy as np
import pytest

from benchmarks.mean_coverage import STRENGTHS, as_independent, main, runs
from utils.statistics.interval import logit_interval


def test_the_true_value_is_that_of_a_large_sample():
    """Noise has 0.5; the stronger the signal the better; intervals of independent folds are narrower."""
    means = []
    for strength in STRENGTHS:
        found = list(runs("AUC", strength, 240, 10, np.random.default_rng(0)))
        means.append(np.mean([true for true, _ in found]))
        estimated = np.mean([[fold.value for fold in folds] for _, folds in found])
        assert means[-1] == pytest.approx(estimated, abs=0.05)
        for _, folds in found:
            wide, narrow = logit_interval(folds), as_independent(folds)
            assert wide.low < narrow.low < narrow.high < wide.high
    assert means[0] == 0.5
    assert means == sorted(means)


def test_the_command(capsys: pytest.CaptureFixture[str]):
    assert main(["--repeats", "3", "--cases", "60"]) == 0
    assert len(capsys.readouterr().out.strip().splitlines()) == 2 + len(STRENGTHS) + 1
