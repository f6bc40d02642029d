"""One epoch and one pass against gradients worked out without the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.output import BagOutput
from utils.errors import MachineError, UserError
from utils.training.engine import Runner, predict, train_epoch


@dataclass
class OneSlideCases:
    """A batch of cases with one patch each."""

    features: Tensor
    target: dict[str, Tensor]
    anchors: Tensor | None = None
    coords: Tensor | None = None
    slide_ids: tuple[str, ...] = ()
    slide_index: Tensor = field(init=False)
    case_index: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.slide_index = self.case_index = torch.arange(len(self.features))
        self.slide_ids = tuple(f"slide_{i}" for i in range(len(self.features)))

    def to(self, device: torch.device) -> OneSlideCases:
        return self


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[0.5, -1.0]]))
        self.modes: list[bool] = []

    def forward(self, features, slide_index, case_index, anchors=None, coords=None) -> BagOutput:
        self.modes.append(self.training)
        return BagOutput(features @ self.weight.T, torch.ones(len(features)), torch.zeros(len(features)).long())


def squared_error(out: Any, target: dict[str, Tensor]) -> Tensor:
    return (out.logits.squeeze(1) - target["y"]).square().mean()


def batches_of(sizes: list[int]) -> list[OneSlideCases]:
    generator = torch.Generator().manual_seed(0)
    return [
        OneSlideCases(torch.randn(size, 2, generator=generator), {"y": torch.randn(size, generator=generator)})
        for size in sizes
    ]


def run_epoch(sizes: list[int], grad_accum: int, **changes: object) -> tuple[Linear, list[Tensor], float]:
    """Train one epoch of plain gradient descent with rate 1 and record the gradient of each step."""
    model, batches, gradients = Linear(), batches_of(sizes), []
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    optimizer.register_step_pre_hook(lambda *_: gradients.append(model.weight.grad.clone()))
    arguments = {"grad_accum": grad_accum, "epoch": 1, "label": "test"} | changes
    runner = Runner(model, torch.device("cpu"), "fp32")
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    mean = train_epoch(runner, batches, sizes, squared_error, optimizer, scaler, **arguments)
    return model, gradients, mean


@pytest.mark.parametrize(
    ("sizes", "grad_accum", "windows"),
    [
        ([1, 1, 1, 1], 2, [[0, 1], [2, 3]]),
        ([1, 1, 1], 2, [[0, 1], [2]]),  # the last window is incomplete
        ([4, 4, 2], 2, [[0, 1], [2]]),
        ([4, 4, 4, 4, 1], 3, [[0, 1, 2], [3, 4]]),  # and its last batch smaller
        ([3], 8, [[0]]),
    ],
)
def test_a_step_has_the_gradient_of_its_losses_over_the_accumulation_count(sizes, grad_accum, windows):
    """Each loss is the mean over the cases of its batch; in a shorter window, too, it is divided by the count."""
    model, gradients, _ = run_epoch(sizes, grad_accum)
    batches, weight = batches_of(sizes), torch.tensor([[0.5, -1.0]])
    assert len(gradients) == len(windows)
    for window, gradient in zip(windows, gradients, strict=True):
        expected = torch.zeros(2)
        for batch in (batches[i] for i in window):
            x, y = batch.features, batch.target["y"]
            expected += 2 * ((x @ weight.T).squeeze(1) - y) @ x / len(x) / grad_accum
        torch.testing.assert_close(gradient[0], expected)
        weight = weight - gradient
    torch.testing.assert_close(model.weight.detach(), weight)


def test_nothing_leaks_into_the_next_epoch():
    model, _, _ = run_epoch([1, 1, 1], 2)
    assert model.weight.grad is None


def test_the_loss_of_an_epoch_is_the_mean_over_its_cases():
    _, _, mean = run_epoch([3, 1], 2)  # one window: all losses are of the initial weights
    batches, weight = batches_of([3, 1]), torch.tensor([[0.5, -1.0]])
    x, y = torch.cat([b.features for b in batches]), torch.cat([b.target["y"] for b in batches])
    assert mean == pytest.approx(((x @ weight.T).squeeze(1) - y).square().mean().item())


def test_a_loss_that_is_not_finite_stops_with_epoch_step_and_slide():
    def broken(out: Any, target: dict[str, Tensor]) -> Tensor:
        return squared_error(out, target) * float("nan")

    batches = batches_of([2])
    model = Linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    runner = Runner(model, torch.device("cpu"), "fp32")
    with pytest.raises(UserError, match="the loss is nan in epoch 7, batch 1 of 1, on slides slide_0, slide_1"):
        train_epoch(
            runner,
            batches,
            [2],
            broken,
            optimizer,
            torch.amp.GradScaler("cpu", enabled=False),
            grad_accum=1,
            epoch=7,
            label="",
        )
    assert torch.equal(model.weight.detach(), torch.tensor([[0.5, -1.0]]))


def test_predict_evaluates_in_order_and_without_gradient():
    model, batches = Linear(), batches_of([2, 3])
    runner = Runner(model, torch.device("cpu"), "fp32")
    logits = predict(runner, batches, n_batches=2, label="")
    expected = torch.cat([b.features for b in batches]) @ model.weight.T
    torch.testing.assert_close(logits, expected.detach())
    assert not logits.requires_grad
    assert model.modes == [False, False]


def test_training_is_in_training_mode():
    assert run_epoch([1, 1], 1)[0].modes == [True, True]


def test_the_model_gets_a_batch_as_it_is():
    """Features keep the type of their files: the model scales and widens them."""
    runner, seen = Runner(nn.Module(), torch.device("cpu"), "fp32"), []
    runner.model.forward = lambda *batch: seen.append(batch)
    batch = OneSlideCases(torch.tensor([[3.0, 6.0]], dtype=torch.float16), {})
    runner(batch)
    given = (batch.features, batch.slide_index, batch.case_index, batch.anchors, batch.coords)
    assert all(got is expected for got, expected in zip(seen[0], given, strict=True))


def test_the_parts_of_training_and_prediction_are_timed():
    runner, batches = Runner(Linear(), torch.device("cpu"), "fp32"), batches_of([1, 1, 1])
    optimizer = torch.optim.SGD(runner.model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    train_epoch(runner, batches, [1] * 3, squared_error, optimizer, scaler, grad_accum=2, epoch=1, label="")
    trained = runner.stopwatch.split()
    assert all(trained[part] > 0 for part in ("reading", "forward", "backward", "optimizer", "the rest"))
    predict(runner, batches, n_batches=3, label="")
    predicted = runner.stopwatch.split()
    grown = {part for part in trained if predicted[part] > trained[part]}
    assert grown >= {"reading", "forward", "total"}
    assert not grown & {"backward", "optimizer"}


def test_half_precision_computes_in_half_precision():
    runner = Runner(nn.Module(), torch.device("cpu"), "bf16")
    seen = []
    runner.model.forward = lambda features, *_: seen.append((features @ features.T).dtype)
    runner(OneSlideCases(torch.randn(2, 2), {}))
    assert seen == [torch.bfloat16]


def test_memory_that_runs_out_is_named_with_its_slides():
    class Large(Linear):
        def forward(self, *args: Any, **kwargs: Any) -> BagOutput:
            return torch.empty(2**50)

    runner = Runner(Large(), torch.device("cpu"), "fp32")
    with pytest.raises(
        MachineError, match=r"^fold 0 val: slides slide_0: not enough memory \(4503599\.6 GB were asked f"
    ):
        predict(runner, batches_of([1]), n_batches=1, label="fold 0 val")
    optimizer = torch.optim.SGD(runner.model.parameters(), lr=0.1)
    scaler, options = torch.amp.GradScaler("cpu", enabled=False), {"grad_accum": 1, "epoch": 3, "label": "epoch 3"}
    with pytest.raises(MachineError, match=r"^epoch 3: slides slide_0, slide_1: not enough memory"):
        train_epoch(runner, batches_of([2]), [2], squared_error, optimizer, scaler, **options)
