from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.utils.explain.anchor_tables import classes_of_cases, random_counts, shares_of, survival_of
from utils.errors import UserError
from utils.explain.anchor_explanation import write_anchor_explanation
from utils.explain.anchor_shares import read_anchor_shares
from utils.explain.anchor_statistics import anchor_statistics, read_anchor_statistics

FILES = ["anchor_shares.csv", "anchors.csv", "anchors.png", "anchors.md", "reducer_mixing.json", "reducer_mixing.png"]
SHARES = shares_of(random_counts(12, 4, seed=0))
SURVIVAL = survival_of(np.arange(1.0, 13), np.arange(12) % 2)
MIXING = {"stages": [[[0.1, 0.2, -0.5, 0.0]] * 2, [[1.0, -1.0]]], "overall": [[0.0, 0.0, 0.0, 0.0]]}


@pytest.mark.parametrize("predictions", [SURVIVAL, classes_of_cases(np.arange(12) % 3, 3)], ids=["surv", "cls"])
def test_all_files_are_written_and_read_back(tmp_path: Path, predictions: pd.DataFrame):
    place = tmp_path / "fold0" / "explain"
    paths = write_anchor_explanation(place, SHARES, predictions, MIXING, "BLCA, fold 0")
    assert [path.name for path in paths] == FILES
    assert sorted(path.name for path in place.iterdir()) == sorted(FILES)
    assert read_anchor_shares(paths[0]).equals(SHARES)
    expected = anchor_statistics(SHARES, predictions)
    pd.testing.assert_frame_equal(read_anchor_statistics(paths[1]), expected, check_exact=True)
    assert json.loads(paths[4].read_text()) == MIXING
    assert paths[3].read_text().startswith("# BLCA, fold 0: anchors\n")
    for path in (paths[2], paths[5]):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_without_reducers_the_files_of_an_earlier_run_go(tmp_path: Path):
    write_anchor_explanation(tmp_path, SHARES, SURVIVAL, MIXING, "title")
    paths = write_anchor_explanation(tmp_path, SHARES, SURVIVAL, None, "title")
    assert [path.name for path in paths] == FILES[:4]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES[:4])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": []}, "expected stages that halve 4 anchors, got matrices of shapes"),
        ({"stages": [[[0.1, 0.2]]]}, "expected stages that halve 4 anchors"),
        ({"overall": [[0.0, 0.0]]}, r"expected overall of shape \(1, 4\), got \(1, 2\)"),
        ({"overall": [[0.0, 0.0, 0.0, float("nan")]]}, "expected finite numbers"),
    ],
)
def test_matrices_of_another_model_are_refused_before_anything_is_written(tmp_path: Path, change: dict, message: str):
    with pytest.raises(ValueError, match=f"mixing: {message}"):
        write_anchor_explanation(tmp_path / "explain", SHARES, SURVIVAL, MIXING | change, "title")
    assert not (tmp_path / "explain").exists()


def test_other_test_cases_are_refused_before_anything_is_written(tmp_path: Path):
    with pytest.raises(UserError, match="slides S11 are in the anchor shares only"):
        write_anchor_explanation(tmp_path / "explain", SHARES, SURVIVAL.iloc[:11], None, "title")
    assert not (tmp_path / "explain").exists()
