"""What every model does before its own work: checks, the scale of the features, and their floating-point type.

All models are called as `model(features, slide_index, case_index, anchors=None, coords=None)`:

- `features` (N, D): the patches of all slides of the batch, slide after slide, with no padding; float16, bfloat16,
  float32 or float64, as the files have them.
- `slide_index` (N,) int64: the slide of each patch, 0 .. n_slides - 1, non-decreasing.
- `case_index` (n_slides,) int64: the case of each slide, 0 .. B - 1, non-decreasing. Both indices may be on the CPU
  while the features are on a GPU, and are best left there: a GPU would be waited for, since their sizes are read.
- `anchors` (n_slides, K, D): each slide's own anchors, or None.
- `coords` (N, 2): level-0 pixels, for models that use positions, or None; best left on the CPU as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn

from models.kernels.segment_ops import Segments
from models.output import BagOutput


@dataclass(frozen=True)
class BagInput:
    """A batch of bags as a model sees it: checked, with features that are scaled and typed when they are asked for.

    Attributes:
        raw: (N, D), the patches of all slides as they came.
        scale: maps rows of `raw` to the space that the anchors were fitted in.
        dtype: of the model's parameters.
        slides: where the patches of each slide lie.
        cases: where the patches of each case lie.
        case_index: (n_slides,) int64, the case of each slide; on the device of the features.
        anchors: (n_slides, K, D), each slide's own anchors, or None.
        coords: (N, 2), level-0 pixels, or None.
    """

    raw: Tensor
    scale: nn.Module
    dtype: torch.dtype
    slides: Segments
    cases: Segments
    case_index: Tensor
    anchors: Tensor | None
    coords: Tensor | None

    def features(self, rows: slice = slice(None)) -> Tensor:
        """Scaled features in the type of the parameters, (n, D); of some rows only, where memory must stay bounded."""
        scaled: Tensor = self.scale(self.raw[rows])
        return scaled.to(self.dtype)

    @property
    def n_slides(self) -> int:
        """The number of slides."""
        return self.case_index.numel()

    @property
    def n_cases(self) -> int:
        """B, the number of cases."""
        return self.cases.count


class BagModel(nn.Module):
    """A multiple-instance model: a batch of bags to logits. A model defines `aggregate`, and is called by `forward`.

    Attributes:
        feature_scale: maps rows of the features to the space that the anchors were fitted in; the identity unless set.
            It is no part of the state dict.
        needs_coords: whether `coords` has to be given.
        needs_patches: whether every case has to have at least one patch.

    Args:
        dim_in: D, the width of the patch features.
        needs_coords: see above.
        needs_patches: see above.
    """

    def __init__(self, dim_in: int, *, needs_coords: bool = False, needs_patches: bool = True) -> None:
        super().__init__()
        self.dim_in = dim_in
        self.needs_coords, self.needs_patches = needs_coords, needs_patches
        self.feature_scale: nn.Module = nn.Identity()

    def aggregate(self, bags: BagInput) -> BagOutput:
        """The model itself: logits of each case, and attention to each patch."""
        raise TypeError(f"{type(self).__name__} has no method aggregate, expected one that maps bags to logits")

    def forward(
        self,
        features: Tensor,
        slide_index: Tensor,
        case_index: Tensor,
        anchors: Tensor | None = None,
        coords: Tensor | None = None,
    ) -> BagOutput:
        """Map a ragged batch of B cases to logits; the arguments stand at the top of this file.

        Raises:
            ValueError: for shapes that do not belong together, features that are no floating-point numbers, a case
                without patches, or missing coords.
        """
        slide_index, case_index = slide_index.cpu(), case_index.cpu()
        check_inputs(features, slide_index, case_index, self.dim_in)
        if coords is None and self.needs_coords:
            raise ValueError("got no coords, expected (N, 2), level-0 pixels, or the model built with graph='features'")
        if coords is not None and coords.shape != (len(features), 2):
            raise ValueError(f"got coords of shape {tuple(coords.shape)}, expected ({len(features)}, 2)")
        device = features.device
        slides = Segments.from_index(slide_index, case_index.numel(), device)
        cases = slides.by_case(case_index)
        if self.needs_patches and 0 in cases.sizes:
            raise ValueError(f"got no patch of case {cases.sizes.index(0)} of the batch, expected at least one")
        anchors = None if anchors is None else anchors.to(self.dtype)
        case_index = case_index.to(device, non_blocking=True)
        return self.aggregate(
            BagInput(features, self.feature_scale, self.dtype, slides, cases, case_index, anchors, coords)
        )

    def check_weights(self) -> None:
        """Check that the parameters can give predictions, apart from being finite; a model says what it needs.

        Raises:
            ValueError: where they cannot.
        """

    @property
    def dtype(self) -> torch.dtype:
        """The type of the parameters."""
        return next(self.parameters()).dtype

    def check_choices(self, **values: str | Sequence[str]) -> None:
        """Compare arguments of the constructor with the choices of their annotations, such as `Literal["l2", "dot"]`.

        Raises:
            ValueError: for a value that is none of them.
        """
        hints = get_type_hints(type(self).__init__)
        for name, value in values.items():
            hint = hints[name]
            choices = get_args(hint if get_origin(hint) is Literal else get_args(hint)[0])
            for item in (value,) if isinstance(value, str) else value:
                if item not in choices:
                    raise ValueError(f"got {name} '{item}', expected one of: {', '.join(choices)}")


def check_inputs(features: Tensor, slide_index: Tensor, case_index: Tensor, dim_in: int) -> None:
    """Check that the shapes belong together, before they broadcast into something else.

    Raises:
        ValueError: with the shape or type that was got and the one that was expected.
    """
    if features.dim() != 2 or features.size(1) != dim_in:
        raise ValueError(f"got features of shape {tuple(features.shape)}, expected (N, {dim_in})")
    if not features.is_floating_point():
        raise ValueError(f"got features of {features.dtype}, expected float16, bfloat16, float32 or float64")
    if slide_index.shape != features.shape[:1]:
        raise ValueError(f"got slide_index of shape {tuple(slide_index.shape)}, expected ({features.size(0)},)")
    if case_index.dim() != 1 or case_index.numel() == 0:
        raise ValueError(f"got case_index of shape {tuple(case_index.shape)}, expected (n_slides,) of at least 1")
    if int(case_index[0]) != 0 or bool((case_index.diff() < 0).any()) or bool((case_index.diff() > 1).any()):
        raise ValueError(f"got case_index {case_index.tolist()}, expected 0 .. B - 1, non-decreasing, each present")
