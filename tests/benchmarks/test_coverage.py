from __future__ import annotations

import numpy as np
import pytest

from benchmarks import coverage
from benchmarks.coverage_cohorts import Setting, survival, three_classes, two_classes
from utils.tables.summary import fold_metrics


@pytest.mark.parametrize(
    "setting",
    [two_classes(0.85, 0.2), two_classes(0.65, 0.5), three_classes(sample=300_000), survival(0.6), survival(0.8)],
    ids=lambda setting: setting.words,
)
def test_the_true_values_are_those_of_a_large_sample(setting: Setting):
    found = fold_metrics(setting.draw(np.random.default_rng(3), 20_000), with_interval=False)
    for metric, truth in setting.truth.items():
        assert found[metric] == pytest.approx(truth, abs=0.01), metric


def test_coverage_width_share_without_limits_and_points():
    limits = [(0.1, 0.5), (0.3, 0.3), (np.nan, np.nan), (0.4, 0.6)]
    assert coverage.measured(limits, 0.3) == ["66.7 %", "0.200", "25.0 %", "33.3 %"]
    assert coverage.measured([(np.nan, np.nan)], 0.3) == ["–", "–", "100 %", "–"]


@pytest.mark.slow
def test_the_table_has_a_row_for_each_interval(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(coverage, "SIZES", ((16, 1), (60, 4)))
    coverage.main(["--repeats", "2", "--seed", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert len({line.count("|") for line in lines}) == 1
    # Three metrics of six populations of two classes, AUC of three classes, two C-indices, two points of six ROC bands.
    assert len(lines) == 2 + 2 * (3 * 6 + 1 + 2 + 2 * 6)
