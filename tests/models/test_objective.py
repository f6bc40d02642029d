"""The training objective put together by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.baselines.instance_loss import clam_instance_loss
from models.objective import training_objective
from models.output import BagOutput, CaseLogits, InstanceLogits

LABELS = {"label": torch.tensor([1, 0])}


def cross_entropy(logits: Tensor, target) -> Tensor:
    return F.cross_entropy(logits, target["label"])


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def test_most_models_are_trained_by_their_logits():
    out = BagOutput(draw(2, 2), torch.ones(2))
    got = training_objective(out, LABELS, cross_entropy)
    assert got.item() == pytest.approx(F.cross_entropy(out.logits, LABELS["label"]).item())


def test_groups_of_logits_are_trained_in_the_place_of_the_prediction():
    """Two rows of case 0 and one of case 1, and a second group of one row a case; the prediction itself is not used."""
    first, second = draw(3, 2), draw(2, 2)
    groups = (CaseLogits(first, torch.tensor([0, 0, 1])), CaseLogits(second, torch.tensor([0, 1])))
    got = training_objective(BagOutput(draw(2, 2) * 99, torch.ones(2), supervised=groups), LABELS, cross_entropy)
    rows = F.log_softmax(first, dim=1)
    expected = -(rows[0, 1] + rows[1, 1] + rows[2, 0]) / 3 + F.cross_entropy(second, torch.tensor([1, 0]))
    assert got.item() == pytest.approx(expected.item())


def test_the_instance_loss_has_its_weight_and_is_left_out_without_labels():
    case, attended = torch.tensor([0, 0, 1, 1]), torch.tensor([True, False, True, False])
    instances = InstanceLogits(draw(4, 2, 2), case, attended, 2, 0.3)
    out = BagOutput(draw(2, 2), torch.ones(2), instances=instances)
    bag, instance = cross_entropy(out.logits, LABELS), clam_instance_loss(instances, LABELS["label"])
    got = training_objective(out, LABELS, cross_entropy)
    assert got.item() == pytest.approx((0.7 * bag + 0.3 * instance).item())
    without = training_objective(out, {"bin": LABELS["label"]}, lambda logits, _: logits.sum())
    assert without.item() == pytest.approx(out.logits.sum().item())
