"""Training steps to be timed: MiCo and its plain path, the other models of the registry, and torchmil's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ParamSpec

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import build_model
from models.objective import training_objective
from tests.reference.mico_plain import PlainMiCo
from utils.training.optim import build_optimizer
from utils.training.ranger import ALPHA, SYNCHRONISATION

N_OUTPUTS, EMBED_DIM, DROPOUT = 4, 512, 0.05
Inputs = ParamSpec("Inputs")
# Our models of the registry that torchmil has, too.
TORCHMIL_MODELS = ("abmil", "transmil")


@dataclass(frozen=True)
class Form:
    """A form of MiCo and the precision it is trained in."""

    formulation: str = "released"
    assignment: str = "soft"
    precision: str = "fp32"

    @property
    def name(self) -> str:
        """The form without its precision."""
        return self.formulation + (", hard" if self.assignment == "hard" else "")


@dataclass(frozen=True)
class Slide:
    """A case of one slide: features (M, D), and coords (M, 2) on a square grid, in level-0 pixels."""

    features: Tensor
    coords: Tensor

    @classmethod
    def of_size(cls, n_patches: int, dim: int, device: torch.device) -> Slide:
        """A slide of standard normal features."""
        number = torch.arange(n_patches, device=device)
        side = max(1, int(n_patches**0.5))
        coords = torch.stack([number % side, number // side], dim=1) * 448
        generator = torch.Generator(device).manual_seed(0)
        return cls(torch.randn(n_patches, dim, device=device, generator=generator), coords)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Mixed precision as `utils.training.engine` runs it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


class PlainRanger(torch.optim.RAdam):
    """Ranger as a straightforward author would put it together: Lookahead over torch's own RAdam."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model.parameters(), lr=2e-4, weight_decay=1e-5, decoupled_weight_decay=True)
        self.steps, self.slow = 0, dict[Tensor, Tensor]()

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """A step of the fast weights; every 6th one pulls them towards the slow ones."""
        super().step(closure)
        self.steps += 1
        if self.steps % SYNCHRONISATION == 0:
            for fast in self.param_groups[0]["params"]:
                slow = self.slow.setdefault(fast, fast.clone())
                slow += ALPHA * (fast - slow)
                fast.copy_(slow)


def optimised(
    model: nn.Module, loss: Callable[Inputs, Tensor], optimizer: torch.optim.Optimizer | None = None
) -> Callable[Inputs, None]:
    """A step: the loss of what the step is given, backward, and Ranger, by default that of the training protocol."""
    optimizer = optimizer or build_optimizer("ranger", model, lr=2e-4, weight_decay=1e-5)
    model.train()

    def step(*args: Inputs.args, **kwargs: Inputs.kwargs) -> None:
        loss(*args, **kwargs).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def call_model(model: nn.Module, slide: Slide, precision: str = "fp32") -> Any:
    """The output of a model of the registry for one slide."""
    index = torch.zeros(len(slide.features), dtype=torch.long, device=slide.features.device)
    with autocast(slide.features.device, precision):
        return model(slide.features, index, index[:1], coords=slide.coords)


def mico(dim: int, form: Form = Form(), n_anchors: int = 64) -> nn.Module:
    """MiCo at the widths of the benchmark."""
    torch.manual_seed(0)
    return build_model(
        "mico",
        dim_in=dim,
        n_outputs=N_OUTPUTS,
        embed_dim=EMBED_DIM,
        dropout=DROPOUT,
        n_anchors=n_anchors,
        formulation=form.formulation,
        assignment=form.assignment,
    )


def model_step(model: nn.Module, slide: Slide, precision: str = "fp32") -> Callable[[], None]:
    """A step of a model of the registry."""
    device = slide.features.device
    target = {"label": torch.tensor([1], device=device)}

    def bag_loss(logits: Tensor, known: Any) -> Tensor:
        return F.cross_entropy(logits.float(), known["label"])

    def loss() -> Tensor:
        return training_objective(call_model(model, slide, precision), target, bag_loss)

    return optimised(model.to(device), loss)


def registry_step(name: str, slide: Slide) -> Callable[[], None]:
    """A step of the model of this name with its default options."""
    torch.manual_seed(0)
    dim = slide.features.size(1)
    model = build_model(name, dim_in=dim, n_outputs=N_OUTPUTS, embed_dim=EMBED_DIM, dropout=DROPOUT)
    return model_step(model, slide)


def plain_step(form: Form, slide: Slide) -> Callable[[], None]:
    """A step of the plain path."""
    torch.manual_seed(0)
    device = slide.features.device
    model = PlainMiCo(
        dim_in=slide.features.size(1),
        n_outputs=N_OUTPUTS,
        embed_dim=EMBED_DIM,
        dropout=DROPOUT,
        formulation=form.formulation,
        assignment=form.assignment,
    ).to(device)
    label = torch.tensor([1], device=device)

    def loss() -> Tensor:
        with autocast(device, form.precision):
            logits = model([[slide.features]])
        return F.cross_entropy(logits.float(), label)

    return optimised(model, loss, PlainRanger(model))


def torchmil_step(name: str, slide: Slide) -> Callable[[], None]:
    """A step of torchmil's model at the widths of ours; it has one logit and its own binary loss.

    Raises:
        ImportError: where torchmil is not installed.
    """
    from torchmil.models import ABMIL, TransMIL

    torch.manual_seed(0)
    dim, device = slide.features.size(1), slide.features.device
    project = nn.Sequential(nn.Linear(dim, EMBED_DIM), nn.ReLU(), nn.Dropout(DROPOUT))
    if name == "abmil":
        model = ABMIL((dim,), att_dim=EMBED_DIM // 2, gated=True, feat_ext=project)
    else:
        model = TransMIL((dim,), att_dim=EMBED_DIM, n_heads=8, dropout=DROPOUT, feat_ext=project)
    label, features = torch.ones(1, device=device), slide.features.unsqueeze(0)

    def loss() -> Tensor:
        return sum(model.compute_loss(label, features)[1].values())

    return optimised(model.to(device), loss)
