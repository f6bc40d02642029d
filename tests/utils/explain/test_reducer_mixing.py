"""The file of the reducers' mixing; what of it counts as damaged: `tests/utils/report/test_run_explanations.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from utils.errors import UserError
from utils.explain.reducer_mixing import REDUCER_MIXING, check_mixing, read_mixing, write_mixing

MIXING = {"stages": [[[0.1, 0.2, -0.5, 0.0]] * 2, [[1.0, -1.0]]], "overall": [[0.0, 0.25, 0.0, 1e-9]]}


def test_matrices_are_read_as_they_were_written(tmp_path: Path):
    check_mixing(MIXING, n_anchors=4)
    write_mixing(tmp_path / REDUCER_MIXING, MIXING)
    assert read_mixing(tmp_path / REDUCER_MIXING) == MIXING


def test_a_model_without_reducers_has_no_file(tmp_path: Path):
    assert read_mixing(tmp_path / REDUCER_MIXING) is None


def test_matrices_of_another_number_of_anchors_are_refused():
    with pytest.raises(ValueError, match="expected stages that halve 8 anchors"):
        check_mixing(MIXING, n_anchors=8)


def test_a_damaged_file_is_named(tmp_path: Path):
    path = tmp_path / REDUCER_MIXING
    path.write_text('{"overall": [[1, 2], [3]]}')
    with pytest.raises(UserError, match=r"reducer_mixing\.json: overall is no matrix .* explain the fold again"):
        read_mixing(path)
