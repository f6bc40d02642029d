"""patches.csv: percentiles against scipy, what is written is read, and what is damaged is named."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import percentileofscore

from utils.errors import UserError
from utils.explain.patch_table import patch_table, percentiles, read_patches, stages_of, write_patches


def full_table(n: int = 7):
    rng = np.random.default_rng(1)
    return patch_table(
        rng.dirichlet(np.ones(n)).astype(np.float32),
        coords=rng.integers(-5, 100_000, size=(n, 2)),
        nearest=rng.integers(0, 4, size=n),
        distance=rng.random(n).astype(np.float32),
        anchors=rng.integers(0, 4, size=(n, 3)),
    )


def test_percentiles_are_those_of_scipy():
    attention = np.array([0.2, 0.1, 0.1, 0.4, 0.1, 0.0])
    assert percentiles(attention) == pytest.approx(percentileofscore(attention, attention, kind="mean"))


@pytest.mark.parametrize(("attention", "expected"), [([0.3], [50.0]), ([0.1, 0.1], [50.0, 50.0])])
def test_percentiles_of_few_patches(attention: list, expected: list):
    assert percentiles(np.array(attention)).tolist() == expected


def test_a_table_is_read_as_it_was_written(tmp_path: Path):
    table = full_table()
    write_patches(tmp_path / "s" / "patches.csv", table)
    again = read_patches(tmp_path / "s" / "patches.csv")
    assert list(again.columns) == [
        *("patch", "x", "y", "attention", "percentile", "nearest_anchor", "distance"),
        *("anchor_1", "anchor_2", "anchor_3"),
    ]
    assert stages_of(again) == ["anchor_1", "anchor_2", "anchor_3"]
    for name in table.columns:
        assert np.array_equal(again[name].to_numpy().astype(table[name].dtype), table[name].to_numpy()), name
        assert again[name].dtype in (np.int64, np.float64)


def test_columns_are_absent_where_there_is_nothing_to_say():
    assert list(patch_table(np.array([0.5, 0.25])).columns) == ["patch", "attention", "percentile"]


@pytest.mark.parametrize(
    ("attention", "more", "message"),
    [
        ([], {}, "at least one patch"),
        ([0.1, -0.1], {}, "0 or more"),
        ([0.1, float("nan")], {}, "0 or more"),
        ([0.1, 0.2], {"coords": np.zeros((3, 2), dtype=int)}, r"shape \(2,\)"),
        ([0.1, 0.2], {"anchors": np.zeros((1, 3), dtype=int)}, r"shape \(2,\)"),
    ],
)
def test_what_does_not_belong_together_is_refused(attention: list, more: dict, message: str):
    with pytest.raises(ValueError, match=message):
        patch_table(np.array(attention), **more)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read"),
        ("", "holds no row below its header"),
        ("patch,attention,percentile\n", "holds no row below its header"),
        ("patch,attention\n0,0.5\n", "column percentile is missing"),
        ("patch,attention,percentile\n0,much,50\n", "column attention, line 2: found 'much', expected a number"),
        ("patch,attention,percentile\n0,,50\n", "a number in every cell"),
        ("patch,attention,percentile\n1,0.5,50\n", "column patch"),
        ("patch,attention,percentile,anchor_1\n0,0.5,50,0.5\n", "column anchor_1: expected whole numbers"),
        (
            "patch,attention,percentile,anchor_1\n0,0.5,50,1e30\n",
            "column anchor_1: expected whole numbers, none beyond",
        ),
        ("patch,attention,percentile\n0,-0.5,50\n", "0 or more"),
        ("patch,attention,percentile\n0,0.5,101\n", "0 to 100"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, text: str | None, problem: str):
    path = tmp_path / "patches.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=problem) as caught:
        read_patches(path)
    assert str(path) in str(caught.value)


@pytest.mark.slow
def test_a_slide_of_200_000_patches_is_written_in_seconds(tmp_path: Path):
    table, started = full_table(200_000), time.perf_counter()
    write_patches(tmp_path / "patches.csv", table)
    assert len(read_patches(tmp_path / "patches.csv")) == 200_000
    assert time.perf_counter() - started < 20  # 2 s when this was written
