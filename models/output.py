"""What every model takes and returns.

All models are called as `model(features, slide_index, case_index, anchors=None, coords=None)`:

- `features` (N, D) float: the patches of all slides of the batch, slide after slide, with no padding.
- `slide_index` (N,) int64: the slide of each patch, 0 .. n_slides - 1, non-decreasing.
- `case_index` (n_slides,) int64: the case of each slide, 0 .. B - 1, non-decreasing.
- `anchors` (n_slides, K, D) float: each slide's own anchors, or None.
- `coords` (N, 2): level-0 pixels, for models that use positions, or None.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class BagOutput(NamedTuple):
    """The outputs of a model for a batch of B cases with N patches in all.

    Attributes:
        logits: (B, n_outputs).
        attention: (N,), each patch's share of its case's attention softmax. Patches and remaining anchors together
            sum to 1 in each case.
        assignment: (N,) int64, the anchor that each patch chose in the first stage.
    """

    logits: Tensor
    attention: Tensor
    assignment: Tensor


def check_inputs(
    features: Tensor, slide_index: Tensor, case_index: Tensor, anchors: Tensor | None, dim_in: int, n_anchors: int
) -> None:
    """Refuse inputs whose shapes do not belong together, before they broadcast into something else.

    Raises:
        ValueError: with the shape that was got and the one that was expected.
    """
    if features.dim() != 2 or features.size(1) != dim_in:
        raise ValueError(f"got features of shape {tuple(features.shape)}, expected (N, {dim_in})")
    if slide_index.shape != features.shape[:1]:
        raise ValueError(f"got slide_index of shape {tuple(slide_index.shape)}, expected ({features.size(0)},)")
    if case_index.dim() != 1 or case_index.numel() == 0:
        raise ValueError(f"got case_index of shape {tuple(case_index.shape)}, expected (n_slides,) of at least 1")
    if int(case_index[0]) != 0 or bool((case_index.diff() < 0).any()) or bool((case_index.diff() > 1).any()):
        raise ValueError(f"got case_index {case_index.tolist()}, expected 0 .. B - 1, non-decreasing, each present")
    expected = (case_index.numel(), n_anchors, dim_in)
    if anchors is not None and anchors.shape != expected:
        raise ValueError(f"got slide anchors of shape {tuple(anchors.shape)}, expected {expected}")
