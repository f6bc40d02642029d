"""When training stops and which epoch is kept, against the rules written out a second time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference.early_stopping import released_stop
from utils.training.schedule import Progress, Schedule

SCORES = st.lists(
    st.tuples(st.sampled_from([0.25, 0.5, 0.75]), st.sampled_from([1.0, 2.0, 3.0])), min_size=1, max_size=30
)


def schedule(**changes: Any) -> Schedule:
    options = {"epochs": 30, "patience": 4, "grad_accum": 1, "monitor": "val_f1", "tie_rule": "val_loss"}
    return Schedule(**{**options, **changes}, seed=0, fold=0)


def run(rules: Schedule, scores: list[tuple[float, float]], monitor: str = "val_f1") -> Progress:
    """Epochs with these pairs of score and validation loss, until training is finished."""
    progress = Progress()
    for epoch, (score, loss) in enumerate(scores, start=1):
        rules.update(progress, epoch, {"val_loss": loss, monitor: score})
        if progress.finished:
            break
    return progress


@given(SCORES, st.integers(1, 6))
def test_the_first_rule_is_the_released_one(scores: list[tuple[float, float]], patience: int):
    progress = run(schedule(patience=patience, tie_rule="first"), scores)
    assert (progress.epoch, progress.best_epoch) == released_stop([s for s, _ in scores], patience, lowest=False)


@given(SCORES, st.integers(1, 6), st.sampled_from(["val_loss", "first"]))
def test_the_lowest_loss_has_no_ties_to_decide(scores: list[tuple[float, float]], patience: int, tie_rule: str):
    pairs = [(loss, loss) for _, loss in scores]
    progress = run(schedule(patience=patience, monitor="val_loss", tie_rule=tie_rule), pairs, "val_loss")
    assert (progress.epoch, progress.best_epoch) == released_stop([p[0] for p in pairs], patience, lowest=True)


@given(SCORES, st.integers(1, 6))
def test_of_equal_scores_the_lowest_loss_is_kept_and_nothing_stops_later(
    scores: list[tuple[float, float]], patience: int
):
    progress = run(schedule(patience=patience), scores)
    stopped, _ = released_stop([s for s, _ in scores], patience, lowest=False)
    assert progress.epoch == stopped
    best = max(s for s, _ in scores[:stopped])
    of_best = [(loss, epoch) for epoch, (s, loss) in enumerate(scores[:stopped], start=1) if s == best]
    assert (progress.best_score, progress.best_loss, progress.best_epoch) == (best, *min(of_best))


@pytest.mark.parametrize(("tie_rule", "kept"), [("val_loss", [1, 2, 3]), ("first", [1])])
def test_a_score_that_stands_still_while_the_loss_falls(tie_rule: str, kept: list[int]):
    rules, progress = schedule(patience=4, tie_rule=tie_rule), Progress()
    losses = [1.0, 0.9, 0.8, 0.85, 0.9]
    best = [
        epoch
        for epoch, loss in enumerate(losses, 1)
        if rules.update(progress, epoch, {"val_loss": loss, "val_f1": 0.3})
    ]
    assert best == kept
    assert (progress.epoch, progress.finished) == (5, True)
