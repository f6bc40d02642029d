from __future__ import annotations

import numpy as np
import pytest

from utils.anchors.sampling import POINT_BYTES, even_quota, points_in_memory, sample_rows


@pytest.mark.parametrize(
    ("sizes", "max_points", "expected"),
    [
        ({"a": 10, "b": 10}, 8, {"a": 4, "b": 4}),
        ({"b": 10, "a": 10}, 9, {"b": 4, "a": 5}),  # what is left goes to the first by name
        ({"a": 200, "b": 100}, 9, {"a": 4, "b": 5}),  # or to the smaller slide
        ({"a": 2, "b": 100, "c": 100}, 20, {"a": 2, "b": 9, "c": 9}),
        ({"a": 1, "b": 3, "c": 100}, 13, {"a": 1, "b": 3, "c": 9}),
        ({"a": 3, "b": 4}, 100, {"a": 3, "b": 4}),
        ({"a": 5, "b": 5, "c": 5}, 2, {"a": 1, "b": 1, "c": 0}),
        ({"a": 0, "b": 5}, 3, {"a": 0, "b": 3}),
        ({"a": 5}, 5, {"a": 5}),
        ({}, 5, {}),
    ],
)
def test_quotas_worked_by_hand(sizes: dict[str, int], max_points: int, expected: dict[str, int]):
    assert list(even_quota(sizes, max_points).items()) == list(expected.items())


def test_quotas_use_all_that_is_allowed_and_differ_by_one_at_most():
    rng = np.random.default_rng(0)
    for _ in range(300):
        sizes = {f"s{i}": int(n) for i, n in enumerate(rng.integers(0, 50, size=rng.integers(1, 12)))}
        max_points = int(rng.integers(1, 400))
        quota = even_quota(sizes, max_points)
        assert sum(quota.values()) == min(max_points, sum(sizes.values()))
        assert all(0 <= quota[s] <= sizes[s] for s in sizes)
        open_ended = [quota[s] for s in sizes if quota[s] < sizes[s]]
        if open_ended:
            assert max(open_ended) - min(open_ended) <= 1
            assert max(quota.values()) <= min(open_ended) + 1  # no exhausted slide gave more than its share


def test_rows_are_sorted_unique_and_within_the_slide():
    for n_rows in (0, 1, 10, 99):
        rows = sample_rows("slide", 100, n_rows, seed=1)
        assert len(rows) == n_rows
        assert np.all(np.diff(rows) > 0)
        assert np.isin(rows, np.arange(100)).all()
    np.testing.assert_array_equal(sample_rows("slide", 100, 100, seed=1), np.arange(100))


def test_rows_are_a_function_of_seed_and_slide():
    np.testing.assert_array_equal(sample_rows("slide", 1000, 20, seed=1), sample_rows("slide", 1000, 20, seed=1))
    for other in (sample_rows("slide", 1000, 20, seed=2), sample_rows("slide_2", 1000, 20, seed=1)):
        assert not np.array_equal(sample_rows("slide", 1000, 20, seed=1), other)


def test_every_row_is_drawn_equally_often():
    """4 of 10 rows, 2000 seeds: each 800 times, deviation sqrt(2000 * 0.4 * 0.6) = 22; 5 deviations are allowed."""
    counts = np.zeros(10)
    for seed in range(2000):
        counts[sample_rows("slide", 10, 4, seed)] += 1
    assert np.abs(counts - 800).max() < 110


def test_more_rows_than_patches_are_refused():
    with pytest.raises(ValueError):
        sample_rows("slide", 3, 4, seed=1)


@pytest.mark.parametrize("width", [1, 768, 1536, 4096])
def test_points_fit_into_memory(width: int):
    limit = points_in_memory(2**40, width)
    assert limit * width * 4 <= POINT_BYTES < (limit + 1) * width * 4
    assert points_in_memory(limit, width) == limit
    assert points_in_memory(10, width) == 10
