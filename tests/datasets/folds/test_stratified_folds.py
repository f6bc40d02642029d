from __future__ import annotations

import numpy as np
import pytest

from datasets.folds.stratified_folds import stratified_folds
from utils.errors import UserError


@pytest.mark.parametrize(("counts", "n_folds"), [((32, 26), 4), ((8, 4), 4), ((50, 9), 5), ((30,), 3), ((7, 4), 2)])
def test_parts_cover_everything_and_mix_alike(counts: tuple[int, ...], n_folds: int) -> None:
    strata = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    folds = stratified_folds(strata.tolist(), n_folds, seed=3)
    assert len(folds) == n_folds
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(strata)))
    for fold in folds:
        assert sorted(np.concatenate(fold)) == list(range(len(strata)))  # no item in two parts, none left out
        for stratum, count in enumerate(counts):
            in_test = int((strata[fold.test] == stratum).sum())
            assert count // n_folds <= in_test <= -(-count // n_folds)
            assert all((strata[part] == stratum).any() for part in fold)


def test_the_seed_decides() -> None:
    strata = [0, 1] * 20
    first, again, other = (stratified_folds(strata, 4, seed) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert any(not np.array_equal(one.test, two.test) for one, two in zip(first, other, strict=True))


def test_refuses_too_few() -> None:
    with pytest.raises(UserError, match=r"stratum 1 .* has 3 of 13 items, too few for 4 folds"):
        stratified_folds([0] * 10 + [1] * 3, 4, 0)
    with pytest.raises(UserError, match=r"has 3 of 10 items, too few for 2 folds"):
        stratified_folds([0] * 7 + [1] * 3, 2, 0)
    with pytest.raises(UserError, match="2 or more"):
        stratified_folds([0] * 10, 1, 0)
