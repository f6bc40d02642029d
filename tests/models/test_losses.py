"""Survival losses against tables worked by hand and against a product of probabilities."""

from __future__ import annotations

import math

import pytest
import torch

from models.losses import hazards, log_survival, nll_survival, risk

# One case of three bins with hazards 1/2, 1/4, 1/5: S = 1/2, 3/8, 3/10.
HAZARDS = torch.tensor([[0.5, 0.25, 0.2]], dtype=torch.float64)
LOGITS = torch.logit(HAZARDS)


def test_hazards_survival_and_risk_by_hand():
    torch.testing.assert_close(hazards(LOGITS), HAZARDS)
    torch.testing.assert_close(log_survival(LOGITS).exp(), torch.tensor([[1 / 2, 3 / 8, 3 / 10]], dtype=torch.float64))
    assert risk(LOGITS).item() == pytest.approx(-(1 / 2 + 3 / 8 + 3 / 10))


def test_higher_hazards_are_a_higher_risk():
    assert risk(LOGITS + 1).item() > risk(LOGITS).item()


@pytest.mark.parametrize(
    ("bin", "censored", "alpha", "probability"),
    [
        (0, 0, 0.0, 1 / 2),  # dies in bin 0: S_-1 = 1 times hazard 1/2
        (1, 0, 0.0, 1 / 2 * 1 / 4),
        (2, 0, 0.0, 3 / 8 * 1 / 5),
        (0, 1, 0.0, 1 / 2),  # censored in bin 0: survives it
        (2, 1, 0.0, 3 / 10),
        (1, 0, 0.4, 1 / 2 * 1 / 4),  # an uncensored case keeps its full weight
        (2, 1, 1.0, 1.0),  # alpha = 1: a censored case has none
    ],
)
def test_nll_by_hand(bin: int, censored: int, alpha: float, probability: float):
    loss = nll_survival(LOGITS, torch.tensor([bin]), torch.tensor([censored]), alpha=alpha)
    assert loss.item() == pytest.approx(-math.log(probability), abs=1e-12)


def test_alpha_takes_weight_from_censored_cases_only():
    loss = nll_survival(LOGITS, torch.tensor([2]), torch.tensor([1]), alpha=0.25)
    assert loss.item() == pytest.approx(-0.75 * math.log(3 / 10))


def test_a_batch_is_the_mean_of_its_cases():
    logits = torch.randn(5, 4, dtype=torch.float64)
    bins, censored = torch.tensor([0, 3, 2, 1, 3]), torch.tensor([0, 1, 0, 1, 0])
    one_by_one = [nll_survival(logits[i : i + 1], bins[i : i + 1], censored[i : i + 1], alpha=0.3) for i in range(5)]
    assert nll_survival(logits, bins, censored, alpha=0.3).item() == pytest.approx(sum(one_by_one).item() / 5)


def test_gradients_equal_those_of_the_product_of_probabilities():
    logits = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    bins, censored = torch.tensor([0, 1, 2, 3, 2, 0]), torch.tensor([0, 0, 1, 1, 0, 1])
    nll_survival(logits, bins, censored, alpha=0.2).backward()
    got, logits.grad = logits.grad, None

    total = torch.zeros((), dtype=torch.float64)
    for row, y, c in zip(logits, bins.tolist(), censored.tolist(), strict=True):
        h = torch.sigmoid(row)
        before, through = torch.prod(1 - h[:y]), torch.prod(1 - h[: y + 1])
        uncensored = -(1 - c) * torch.log(before * h[y])
        total = total + 0.8 * (uncensored - c * torch.log(through)) + 0.2 * uncensored
    (total / 6).backward()
    torch.testing.assert_close(got, logits.grad, rtol=1e-10, atol=1e-12)


def test_probabilities_are_clamped_at_1e_7():
    impossible = torch.full((1, 4), 100.0)  # every hazard 1: S_0 = 0
    loss = nll_survival(impossible, torch.tensor([3]), torch.tensor([1]))
    assert loss.item() == pytest.approx(-math.log(1e-7), rel=1e-6)
    never = torch.full((1, 4), -100.0)  # every hazard 0
    assert nll_survival(never, torch.tensor([0]), torch.tensor([0])).item() == pytest.approx(-math.log(1e-7), rel=1e-6)


def test_half_precision_logits_are_computed_in_float32():
    logits = torch.randn(3, 4).bfloat16()
    bins, censored = torch.tensor([0, 3, 1]), torch.tensor([1, 0, 0])
    loss = nll_survival(logits, bins, censored)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, nll_survival(logits.float(), bins, censored))


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"bin \(3, 1\)"):
        nll_survival(torch.randn(3, 4), torch.zeros(3, 1).long(), torch.zeros(3))
