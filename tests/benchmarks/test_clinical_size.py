from __future__ import annotations

import numpy as np
import pytest

from benchmarks.clinical_size import main, simulated, sizes


@pytest.mark.parametrize("task", ["surv", "cls"])
def test_the_risk_knows_the_covariate_in_one_world_only(task: str):
    rng = np.random.default_rng(0)
    known = {world: np.corrcoef(*_both(task, world, rng))[0, 1] for world in ("noise", "age")}
    assert abs(known["noise"]) < 0.2
    assert known["age"] > 0.4


def _both(task: str, world: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    cases, covariate = simulated(task, world, 400, rng)
    return cases.score, covariate[:, 0]


@pytest.mark.slow
def test_folds_that_share_training_cases_reject_too_often_and_the_corrected_p_does_not():
    plain, corrected, defined = sizes("surv", "noise", 60, 200, 0)
    assert defined == 200
    assert plain > 0.10
    assert corrected < 0.08


def test_the_table_has_a_line_for_each_kind(capsys: pytest.CaptureFixture[str]):
    assert main(["--repeats", "2", "--sizes", "60"]) == 0
    assert capsys.readouterr().out.count("\n") == 2 + 4
