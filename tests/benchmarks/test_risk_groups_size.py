from __future__ import annotations

import numpy as np
import pytest

from benchmarks.risk_groups_size import _ridge, get_args_parser, main, size_table


def test_the_coefficients_solve_the_penalised_equations_of_the_residuals():
    # Deaths at 1 and 3 months among 3 and 1 at risk: H = 1/3 from 1 month on, 4/3 from 3 on.
    event, time, x = np.array([True, False, True]), np.array([1.0, 2, 3]), np.array([[1.0], [2.0], [-1.0]])
    residual = np.array([1 - 1 / 3, 0 - 1 / 3, 1 - 4 / 3])
    assert _ridge(event, time, x) == pytest.approx((x[:, 0] @ residual) / (6 + 0.3))


@pytest.mark.slow
def test_folds_that_share_training_cases_reject_too_often():
    (line,) = size_table([240], [5], repeats=300, seed=2).splitlines()[2:]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:2] == ["240", "5"]
    released, stratified, interval, one_fold, halved = (float(cell.split()[0]) for cell in cells[2:])
    assert min(released, stratified, interval) > 8  # 5 % would be right; the standard error of 300 is 1.9
    assert one_fold < 8
    assert halved < 8


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]):
    parser = get_args_parser()
    assert main(parser.parse_args(["--repeats", "2", "--cases", "40", "--features", "3"])) == 0
    assert capsys.readouterr().out.count("\n") == 3
