"""The models that are checked: all of the registry, MiCo in both forms; and cases for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu_check.report import PartReport
from benchmarks.gpu_check.sizes import Sizes
from datasets.bags import Bag, Batch, collate
from datasets.folds.cases import Case
from datasets.slides.features import SlideFeatures
from models import MODELS, build_model, model_class
from models.bag_model import BagModel

MICO = "mico"
PATCH_PIXELS = 448
FEATURE_ROWS = 65_536
LABEL = 1


@dataclass(frozen=True)
class Variant:
    """A model of the registry, and the form of MiCo."""

    name: str
    form: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.form}".strip()

    def build(self, sizes: Sizes, *, dropout: float = 0.05, **options: Any) -> BagModel:
        """The model with the parameters of seed 0, on the CPU."""
        torch.manual_seed(0)
        own: dict[str, Any] = {"formulation": self.form, "n_anchors": sizes.n_anchors} if self.name == MICO else {}
        shape = {"dim_in": sizes.dim, "n_outputs": sizes.n_outputs}
        return build_model(self.name, **shape, embed_dim=sizes.embed_dim, dropout=dropout, **own, **options)


RELEASED, PAPER = Variant(MICO, "released"), Variant(MICO, "paper")
VARIANTS = (RELEASED, PAPER, *(Variant(name) for name in MODELS if name != MICO))
GRAPHS = ("patchgcn", "deepgraphconv")


def installed(report: PartReport) -> list[Variant]:
    """The variants whose libraries are installed; the others are named as left out."""
    found = []
    for variant in VARIANTS:
        try:
            model_class(variant.name)
        except ImportError as error:
            report.leave_out(str(variant), f"a library is not installed ({error})")
        else:
            found.append(variant)
    return found


def case_of(slides: Sequence[Tensor]) -> Batch:
    """A batch of one case on the CPU: slides (M, D) with coords on square grids, in level-0 pixels."""
    parts = tuple(
        SlideFeatures(f"slide_{number}", features, grid(len(features)), {}) for number, features in enumerate(slides)
    )
    return collate([Bag(Case("case", tuple(part.slide_id for part in parts), label=LABEL), parts, None)])


def grid(n_patches: int) -> Tensor:
    """Coords (M, 2) of patches on a square grid, row after row."""
    number = torch.arange(n_patches)
    side = max(1, int(n_patches**0.5))
    return torch.stack([number % side, number // side], dim=1) * PATCH_PIXELS


def random_slide(n_patches: int, dim: int, device: torch.device, seed: int = 0) -> Tensor:
    """Standard normal features (M, D), float16, on the host; drawn on the device, and for a GPU in pinned memory."""
    generator = torch.Generator(device).manual_seed(seed)
    features = torch.empty(n_patches, dim, dtype=torch.float16, pin_memory=device.type == "cuda")
    for start in range(0, n_patches, FEATURE_ROWS):
        rows = features[start : start + FEATURE_ROWS]
        rows.copy_(torch.randn(rows.shape, device=device, generator=generator))
    return features
