from __future__ import annotations

import pytest

from tests.utils.report.cohorts import survival_fold
from utils.statistics.effect_words import effect_words, pooled_caveat, released_words
from utils.statistics.risk_groups import RELEASED_SIZE, STRATIFIED_SIZE, pooled_halves


@pytest.mark.parametrize("n_folds", [1, 3])
def test_the_words_have_the_numbers_and_say_what_is_stratified(n_folds: int):
    pooled = pooled_halves({fold: survival_fold(fold, n=30) for fold in range(n_folds)})
    effect, more = pooled.effect, ", stratified by fold" * (n_folds > 1)
    ratio, p = effect_words(pooled)
    assert ratio == f"hazard ratio {effect.hazard_ratio:.2f} (95 % {effect.low:.2f} to {effect.high:.2f}){more}"
    assert p in (f"log-rank p = {effect.p:.3f}{more}", f"log-rank p < 0.001{more}")
    assert bool(released_words(pooled)) == (n_folds > 1)
    caveat = " ".join(pooled_caveat(pooled))
    assert ("p is too small since folds share training cases" in caveat) == (n_folds > 1)
    assert (f"in {STRATIFIED_SIZE} (stratified) and {RELEASED_SIZE} (released)" in caveat) == (n_folds > 1)


def test_a_wrong_direction_and_what_is_undefined_are_said():
    table = survival_fold(1)
    turned = pooled_halves({0: table.assign(risk=-table["risk"])})
    assert turned.effect.high is not None
    assert turned.effect.high < 1
    assert tuple(pooled_caveat(turned)) == (
        "A hazard ratio below 1: the high-risk group lives longer, so that the risk may be turned around.",
    )
    censored = pooled_halves({0: table.assign(event=0)})
    assert effect_words(censored) == ["hazard ratio undefined (no events)", "log-rank p undefined (no events)"]
