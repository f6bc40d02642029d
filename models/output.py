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


class CaseLogits(NamedTuple):
    """Logits (R, n_outputs), and the case (R,) int64 that each row is about."""

    logits: Tensor
    case: Tensor


class InstanceLogits(NamedTuple):
    """What CLAM's instance classifiers say of the most and least attended patches of each case.

    Attributes:
        logits: (R, n_outputs, 2), per class: outside and inside of the class.
        case: (R,) int64.
        attended: (R,) bool, whether the patch is among the most attended ones of its case.
    """

    logits: Tensor
    case: Tensor
    attended: Tensor


class BagOutput(NamedTuple):
    """The outputs of a model for a batch of B cases with N patches in all.

    Attributes:
        logits: (B, n_outputs), the prediction.
        attention: (N,), each patch's share of its case's prediction, at least 0; each model says how it is defined.
            The shares of a case sum to 1, in MiCo together with those of the remaining anchors.
        assignment: (N,) int64, the anchor that each patch chose in the first stage; None without anchors.
        supervised: logits that are trained in the place of `logits`, each group by its mean loss; empty in most models.
        instances: for CLAM's instance loss; None for the others.
        stage_assignment: (N, L) int64, the anchor that each patch chose in each stage; None without anchors. Those of a
            later stage are mixtures that the Cluster Reducer made of those before.
    """

    logits: Tensor
    attention: Tensor
    assignment: Tensor | None = None
    supervised: tuple[CaseLogits, ...] = ()
    instances: InstanceLogits | None = None
    stage_assignment: Tensor | None = None


def check_inputs(features: Tensor, slide_index: Tensor, case_index: Tensor, dim_in: int) -> None:
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


def check_slide_anchors(anchors: Tensor | None, n_slides: int, n_anchors: int, dim_in: int) -> None:
    """Refuse slide anchors of another shape than (n_slides, K, D).

    Raises:
        ValueError: with the shape that was got and the one that was expected.
    """
    expected = (n_slides, n_anchors, dim_in)
    if anchors is not None and anchors.shape != expected:
        raise ValueError(f"got slide anchors of shape {tuple(anchors.shape)}, expected {expected}")
