"""What every model does before its own work; `test_registry.py` has what each model of the registry keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch import nn

from models.bag_model import BagInput, BagModel
from models.output import BagOutput


class Sums(BagModel):
    """Logits are sums of features."""

    def __init__(
        self, kind: Literal["sum", "none"] = "sum", parts: Sequence[Literal["head"]] = (), **needs: bool
    ) -> None:
        super().__init__(3, **needs)
        self.check_choices(kind=kind, parts=parts)
        self.one = nn.Parameter(torch.ones(()))
        self.seen: BagInput | None = None

    def aggregate(self, bags: BagInput) -> BagOutput:
        self.seen = bags
        features = bags.features() * self.one
        return BagOutput(torch.stack([rows.sum(dim=0) for rows in features.split(bags.cases.sizes)]), features[:, 0])


FEATURES = torch.arange(15, dtype=torch.float16).view(5, 3)
SLIDES, CASES = torch.tensor([0, 0, 1, 1, 2]), torch.tensor([0, 0, 1])


def test_a_batch_is_described():
    model = Sums()
    out = model(FEATURES, SLIDES, CASES, anchors=torch.ones(3, 2, 3, dtype=torch.float64))
    assert out.logits.tolist() == [[18.0, 22.0, 26.0], [12.0, 13.0, 14.0]]
    assert model.seen.slides.sizes == (2, 2, 1)
    assert model.seen.cases.sizes == (4, 1)
    assert (model.seen.n_slides, model.seen.n_cases) == (3, 2)
    assert model.seen.anchors.dtype == torch.float32
    assert model.seen.raw is FEATURES


def test_rows_are_scaled_before_they_are_typed():
    """In float16, 60,000 + 60,000 would be infinite."""

    class Doubled(nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return 2 * features.float()

    model = Sums()
    model.feature_scale = Doubled()
    model(torch.full((5, 3), 60_000.0, dtype=torch.float16), SLIDES, CASES)
    assert model.seen.features(slice(1, 3)).tolist() == [[120_000.0] * 3] * 2


def test_a_case_without_patches_needs_a_model_that_takes_it():
    with pytest.raises(ValueError, match="got no patch of case 1 of the batch, expected at least one"):
        Sums()(FEATURES[:4], SLIDES[:4], CASES)
    assert Sums(needs_patches=False)(FEATURES[:4], SLIDES[:4], CASES).logits[1].tolist() == [0.0, 0.0, 0.0]


def test_coords_are_asked_for_and_their_shape_is_checked():
    with pytest.raises(ValueError, match="got no coords"):
        Sums(needs_coords=True)(FEATURES, SLIDES, CASES)
    with pytest.raises(ValueError, match=r"got coords of shape \(5, 3\), expected \(5, 2\)"):
        Sums()(FEATURES, SLIDES, CASES, coords=torch.zeros(5, 3))


@pytest.mark.parametrize(
    ("case_index", "message"),
    [
        (torch.tensor([0, 0, 2]), r"got case_index \[0, 0, 2\]"),
        (torch.tensor([1, 1, 2]), r"got case_index \[1, 1, 2\]"),
        (torch.zeros(0, dtype=torch.long), r"got case_index of shape \(0,\)"),
    ],
)
def test_an_index_of_cases_that_skips_or_is_empty_is_refused(case_index: torch.Tensor, message: str):
    with pytest.raises(ValueError, match=message):
        Sums()(FEATURES, SLIDES, case_index)


def test_arguments_are_compared_with_the_choices_of_their_annotations():
    with pytest.raises(ValueError, match="got kind 'mean', expected one of: sum, none"):
        Sums("mean")
    with pytest.raises(ValueError, match="got parts 'tail', expected one of: head"):
        Sums(parts=["head", "tail"])


def test_a_model_without_aggregate_says_so():
    class Empty(BagModel):
        pass

    model = Empty(3)
    model.one = nn.Parameter(torch.ones(()))
    with pytest.raises(TypeError, match="Empty has no method aggregate"):
        model(FEATURES, SLIDES, CASES)
