from __future__ import annotations

import numpy as np
import pytest

from benchmarks.calibration_coverage import coverage_rows, error_rows, main, survival


def test_a_row_for_each_interval_size_and_prevalence():
    header, *rows = coverage_rows(repeats=5, sizes=[30, 40], seed=1)
    assert len({len(row) for row in (header, *rows)}) == 1
    names = {"logistic slope", "logistic intercept", "Cox slope", "sensitivity", "specificity"}
    assert {tuple(row[:3]) for row in rows} == {
        (name, n, p) for name in names for n in ("30", "40") for p in ("0.5", "0.2")
    }
    assert all(0 <= float(cell) <= 1 for row in rows for cell in row[3:])
    assert list(coverage_rows(5, [30, 40], 1)) == [header, *rows]


def test_the_share_of_deaths_is_that_of_the_prevalence(monkeypatch: pytest.MonkeyPatch):
    seen = []

    def slope(event: np.ndarray, time: np.ndarray, predicted: np.ndarray) -> None:
        seen.append(event.mean())
        raise RuntimeError

    monkeypatch.setattr("benchmarks.calibration_coverage.survival_slope", slope)
    for prevalence in (0.5, 0.2):
        with pytest.raises(RuntimeError):
            survival(np.random.default_rng(0), 20_000, prevalence)
    assert seen == pytest.approx([0.5, 0.2], abs=0.05)


def test_the_printed_error_is_that_of_calibrated_models():
    _, row = error_rows(repeats=150, sizes=[50], seed=1)
    _, error, expected, spread = map(float, row)
    assert abs(error - expected) < 4 * spread


def test_the_command_prints_both_tables(capsys: pytest.CaptureFixture[str]):
    main(["--repeats", "2", "--sizes", "20"])
    printed = capsys.readouterr().out
    assert "| limits of " in printed
    assert "| cases | ECE " in printed
