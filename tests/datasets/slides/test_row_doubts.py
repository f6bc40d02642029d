"""Rows and positions that repeat, against a loop over all rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from datasets.slides.row_doubts import repeated_places, repeated_rows, repetition_warnings

KINDS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def features(n_rows: int, width: int = 40, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(n_rows, width, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("dtype", KINDS, ids=str)
@pytest.mark.parametrize("width", [1, 7, 40])
def test_rows_that_were_not_written_are_counted(dtype: torch.dtype, width: int):
    rows = torch.arange(1, 501).double()[:, None].expand(500, width).to(dtype) + features(500, width).abs().to(dtype)
    filled = torch.unique(rows, dim=0)
    assert repeated_rows(filled) is None
    some = filled.clone()
    n_zero = len(some) // 50 + 1
    some[-n_zero:] = 0
    assert repeated_rows(some) == f"{n_zero} of {len(some)} rows that are 0"
    some[-n_zero:] = some[0]
    assert repeated_rows(some) == f"{n_zero + 1} of {len(some)} rows that are the same"


@pytest.mark.parametrize("dtype", KINDS, ids=str)
def test_zeros_of_either_sign_are_zeros(dtype: torch.dtype):
    rows = features(60, dtype=dtype)
    rows[:30] *= 0
    assert rows[:30].signbit().any()
    assert repeated_rows(rows) == "30 of 60 rows that are 0"


def test_a_few_equal_rows_are_no_matter():
    """Of 1,000 rows 10, as patches of plain background may be."""
    rows = features(1000)
    rows[:10] = rows[500]
    assert repeated_rows(rows[:500]) == "10 of 500 rows that are the same"
    assert repeated_rows(rows[100:1000]) is None
    rows[:10] = 0
    assert repeated_rows(rows) is None
    rows[10] = 0
    assert repeated_rows(rows) == "11 of 1,000 rows that are 0"


def test_sparse_features_are_told_from_equal_ones():
    """Features of a ReLU: many rows agree in the columns that are looked at first, and not in all."""
    rng = np.random.default_rng(0)
    rows = np.where(rng.random((2000, 200)) < 0.05, rng.random((2000, 200)), 0).astype(np.float32)
    assert Counter(row.tobytes() for row in rows).most_common(1)[0][1] <= 1
    assert repeated_rows(torch.from_numpy(rows)) is None
    rows[rng.permutation(2000)[:300]] = rows[0]
    (n_same,) = [n for _, n in Counter(row.tobytes() for row in rows).most_common(1)]
    assert repeated_rows(torch.from_numpy(rows)) == f"{n_same} of 2,000 rows that are the same"


def test_one_row_and_equal_rows():
    assert repeated_rows(torch.zeros(1, 8)) is None
    assert repeated_rows(torch.ones(2, 8)) == "2 of 2 rows that are the same"
    assert repeated_rows(torch.zeros(3, 8)) == "3 of 3 rows that are 0"


@pytest.mark.parametrize(
    ("coords", "said"),
    [
        ([[0, 0]] * 9, "9 patches at 1 position"),
        ([[0, 0], [0, 1]] * 5, "10 patches at 2 positions"),
        ([[0, 0], [0, 0], [0, 1]], None),
        ([[5, 5]], None),
    ],
)
def test_positions_that_repeat(coords: list[list[int]], said: str | None):
    assert repeated_places(np.array(coords)) == said


def test_slides_are_named_and_counted():
    rows, places = (
        {"s3": "2 of 3 rows that are 0", "s2": "20 of 20 rows that are 0"},
        {"s2": "20 patches at 1 position"},
    )
    assert repetition_warnings(rows, places, 4) == [
        "2 of 4 slides repeat themselves, such as s2 with 20 of 20 rows that are 0: were all features written, or are "
        "these background?",
        "1 of 4 slides repeat themselves, such as s2 with 20 patches at 1 position: are these the coordinates of the "
        "patches?",
    ]
    assert len(repetition_warnings(rows, {}, 4)) == 1
    assert repetition_warnings({}, {}, 4) == []


def test_positions_count_as_rows_of_the_table_do():
    """They are compared as one number each: those of the left half of a slide may be negative."""
    coords = np.random.default_rng(0).integers(-3, 3, size=(60, 2))
    n_places = len(np.unique(coords, axis=0))
    assert repeated_places(np.concatenate([coords, coords, coords])) == f"180 patches at {n_places} positions"
    far = np.array([[2**31, -(2**31)], [2**31 - 1, 2**31], [-(2**31), 5], [0, 2**31]])
    assert repeated_places(far) is None
