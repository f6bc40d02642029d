"""Runs of the same and of other features, by their records."""

from __future__ import annotations

from typing import Any

import pytest

from utils.runs.features_of_runs import features_as_options, same_features


def run(digests: str, *, dim_in: int | None = 8, splits: str = "stuvw", first: int = 0) -> dict[str, Any]:
    """A run whose folds, from `first` on, have these letters as digests, and those of `splits` as split files."""
    record = {"splits": {f"fold{k}.csv": name for k, name in enumerate(splits)}}
    record |= {"features": {f"fold{k}": letter * 8 for k, letter in enumerate(digests, first)}}
    return record if dim_in is None else {**record, "dim_in": dim_in}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (run("ab"), True),
        (run("a"), True),
        (run("bc", first=1), True),
        (run("ac"), False),
        (run("ab", dim_in=16), False),
        (run("ab", dim_in=None), True),
        (run("ac", splits="sx"), True),  # another split file: other slides, which the digest depends on
        ({}, True),
    ],
)
def test_what_both_have_is_compared(other: dict[str, Any], same: bool):
    assert same_features(run("ab"), other) is same
    assert same_features(other, run("ab")) is same


def test_nothing_is_said_of_the_same_features():
    assert features_as_options([run("ab"), run("a"), run("b", first=1), {}]) == [{}] * 4


def test_runs_that_share_a_fold_have_the_same_words():
    """Also where two of them have no fold in common, and a third has folds of both."""
    runs = [run("a"), run("b", first=1), run("ab"), run("cd"), run("cd", dim_in=16), {}]
    first = {"features": "D = 8, aaaaaa"}
    found = features_as_options(runs)
    assert found[:4] == [first, first, first, {"features": "D = 8, cccccc"}]
    assert found[4:] == [{"features": "D = 16, cccccc"}, {}]
