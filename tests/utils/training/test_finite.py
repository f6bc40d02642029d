"""What is not finite never reaches the weights: losses, gradients, scales of fp16, weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.utils.training.test_engine import Linear, batches_of, squared_error
from utils.errors import UserError
from utils.training.engine import Runner, evaluate, predict, train_epoch
from utils.training.finite import LOWEST_SCALE, check_weights, named

CPU = torch.device("cpu")
OFF = torch.amp.GradScaler("cpu", enabled=False)


def root(out: Any, target: dict[str, Tensor]) -> Tensor:
    """A loss of 0, of which the gradient is NaN: the root has none at 0."""
    return (out.logits * 0).square().sum().sqrt()


def train(model: nn.Module, objective: Any, *, n_batches: int = 5, epoch: int = 3, **changes: Any) -> float:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    options = {"grad_accum": 2, "epoch": epoch, "label": "", "scaler": OFF, **changes}
    scaler = options.pop("scaler")
    runner = Runner(model, CPU, "fp32")
    return train_epoch(runner, batches_of([1] * n_batches), [1] * n_batches, objective, optimizer, scaler, **options)


def from_batch(number: int, broken: Any) -> Any:
    """The squared error, until the batch of a number, from 1 on."""
    seen = []

    def objective(out: Any, target: dict[str, Tensor]) -> Tensor:
        seen.append(1)
        return broken(out, target) if len(seen) >= number else squared_error(out, target)

    return objective


def test_a_gradient_that_is_not_finite_is_not_stepped():
    model, reached = Linear(), []
    with pytest.raises(UserError) as refused:
        train(model, from_batch(3, root), after_step=lambda position: reached.append(model.weight.detach().clone()))
    assert str(refused.value) == (
        "the norm of the gradient is nan while the loss is finite, in epoch 3, batches 3 to 4 of 5, on slides "
        "slide_0, slide_0: look at the features of these slides, lower --lr, or fit anchors with --feature_norm l2 or "
        "zscore"
    )
    assert len(reached) == 1
    assert torch.equal(model.weight.detach(), reached[0])


def test_a_window_of_one_batch_is_named_as_one():
    with pytest.raises(UserError, match="in epoch 3, batch 5 of 5, on slides slide_0: look"):
        train(Linear(), from_batch(5, root))


@pytest.mark.parametrize("grad_accum", [1, 2, 5])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_loss_that_is_not_finite_is_named_by_its_batch(value: float, grad_accum: int):
    """The losses of a window are looked at together; the message is about the batch all the same."""
    model = Linear()
    with pytest.raises(UserError, match=f"the loss is {value} in epoch 3, batch 2 of 5, on slides slide_0:"):
        train(model, from_batch(2, lambda out, target: out.logits.sum() * 0 + value), grad_accum=grad_accum)
    assert model.weight.isfinite().all()


def test_gradients_that_adam_cannot_square_count_as_not_finite():
    """Their squares are infinite in float32, and the weight would never move again."""
    model = Linear()
    with pytest.raises(UserError, match="the norm of the gradient is inf while the loss is finite"):
        train(model, lambda out, target: (out.logits * 1e25).sum() * 1e-5)
    assert torch.equal(model.weight.detach(), torch.tensor([[0.5, -1.0]]))


def test_steps_that_fp16_leaves_out_are_no_error_as_long_as_the_scale_helps():
    """A gradient of 10,000 overflows at a scale of 65,536 in float16, and fits at 4."""
    model, scaler = Half(), torch.amp.GradScaler("cpu")
    train(model, times(1e4), scaler=scaler, grad_accum=1, n_batches=20)
    assert 0 < scaler.get_scale() < 65536
    assert model.moved()
    assert model.weight.isfinite().all()


def test_a_gradient_that_no_scale_brings_into_fp16_is_an_error():
    model, scaler = Half(), torch.amp.GradScaler("cpu")
    with pytest.raises(UserError, match="the gradient overflows in fp16, however small the loss is scaled, in epoch 3"):
        train(model, root, scaler=scaler, grad_accum=1, n_batches=60)
    assert scaler.get_scale() < LOWEST_SCALE
    assert not model.moved()


class Half(Linear):
    """A model whose activations are float16, as under autocast."""

    def forward(self, features: Tensor, *rest: Any) -> Any:
        return super().forward(features, *rest)._replace(logits=super().forward(features, *rest).logits.half())

    def moved(self) -> bool:
        return not torch.equal(self.weight.detach(), torch.tensor([[0.5, -1.0]]))


def times(factor: float) -> Any:
    return lambda out, target: out.logits.float().mean() * factor


def test_weights_are_checked_by_their_names():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    check_weights(model, 4)
    with torch.no_grad():
        model[1].weight[0, 1] = float("inf")
    with pytest.raises(UserError, match=r"the weights 1\.weight are not finite after epoch 4: lower --lr"):
        check_weights(model, 4)


@pytest.mark.parametrize("spoiled", ["logits", "attention"])
def test_a_prediction_that_is_not_finite_is_named_by_its_slides(spoiled: str):
    class Spoiled(Linear):
        def forward(self, features: Tensor, *rest: Any) -> Any:
            out = super().forward(features, *rest)
            spoil = torch.full_like(getattr(out, spoiled), float("nan"))
            return out._replace(**{spoiled: spoil}) if len(features) == 3 else out

    runner = Runner(Spoiled(), CPU, "fp32")
    expected = "fold 0 epoch 3 validation: the model gives no finite prediction for slides slide_0, slide_1, slide_2: "
    with pytest.raises(UserError, match=expected):
        predict(runner, batches_of([2, 3]), n_batches=2, label="fold 0 epoch 3 validation")


def test_models_side_by_side_are_checked_as_well():
    class Folds(nn.Module):
        def forward(self, features: Tensor, *rest: Any) -> Tensor:
            return torch.stack([features, features * float("inf")])

    with pytest.raises(UserError, match="the model gives no finite prediction for slides slide_0"):
        list(evaluate(Runner(Folds(), CPU, "fp32"), batches_of([1]), n_batches=1, label=""))


def test_many_slides_are_named_by_the_first_of_them():
    assert named(["a", "b"]) == "a, b"
    assert named([str(number) for number in range(6)]) == "0, 1, 2, 3, 4 and 1 more"
