"""CLAM's instance loss: a smooth hinge loss on the most and least attended patches (Lu et al. 2021)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.output import InstanceLogits


def smooth_top1_svm(logits: Tensor, target: Tensor, *, tau: float = 1.0, margin: float = 1.0) -> Tensor:
    """The smooth multi-class hinge loss, averaged over the rows (Berrada, Zisserman and Kumar, ICLR 2018, k = 1).

    For scores s of a row with target y:
    `loss = tau log sum_j exp((s_j + margin [j != y]) / tau) - s_y`,
    which for tau -> 0 is the hinge loss `max_j (s_j + margin [j != y]) - s_y`. The logarithm of the sum is taken
    without overflow; the authors' code has the hinge loss for rows whose two highest scores are more than
    tau log 1000 apart, which for tau = margin = 1 is at most 0.003 less.

    Args:
        logits: (R, C).
        target: (R,) int64, in 0 .. C - 1.
        tau: temperature, above 0.
        margin: by how much the score of the target has to be the highest.

    Returns:
        A scalar in float32 or wider.

    Raises:
        ValueError: for shapes that do not belong together, or a tau that is not above 0.
    """
    if logits.dim() != 2 or target.shape != logits.shape[:1]:
        raise ValueError(f"got logits {tuple(logits.shape)}, target {tuple(target.shape)}; expected (R, C), (R,)")
    if not tau > 0:
        raise ValueError(f"got tau {tau}, expected a number above 0")
    scores = logits.to(torch.promote_types(logits.dtype, torch.float32))
    others = 1 - F.one_hot(target, logits.size(1)).to(scores.dtype)  # (R, C), [j != y]
    target_score = scores.gather(1, target.unsqueeze(1)).squeeze(1)  # (R,)
    return (tau * torch.logsumexp((scores + margin * others) / tau, dim=1) - target_score).mean()


def clam_instance_loss(instances: InstanceLogits, label: Tensor) -> Tensor:
    """The mean over the cases of `(1 / C) sum_c loss(case, c)`, for classes that exclude one another.

    For c = label, `loss(case, c)` is the mean smooth hinge loss of the scores of class c over the most attended
    patches, with target 1, and the least attended ones, with target 0. For every other class it is the mean over the
    most attended patches with target 0; the least attended ones say nothing about that class.

    Args:
        instances: of a batch of B cases with C classes.
        label: (B,) int64, the class of each case.

    Returns:
        A scalar in float32 or wider.

    Raises:
        ValueError: for labels that are not one for each case, or that are no class.
    """
    n_cases, n_classes = int(instances.case.max()) + 1, instances.logits.size(1)
    if label.shape != (n_cases,):
        raise ValueError(f"got label of shape {tuple(label.shape)}, expected ({n_cases},), one for each case")
    if bool((label < 0).any()) or bool((label >= n_classes).any()):
        raise ValueError(f"got labels {label.tolist()}, expected 0 .. {n_classes - 1}")
    losses = []
    for case, y in enumerate(label.tolist()):
        logits, attended = instances.logits[instances.case == case], instances.attended[instances.case == case]
        losses += [_class_loss(logits[:, c], attended, is_label=c == y) for c in range(n_classes)]
    return torch.stack(losses).mean()  # of B times C


def _class_loss(logits: Tensor, attended: Tensor, *, is_label: bool) -> Tensor:
    """The mean loss of one class over the chosen patches of one case; logits (2k, 2), attended (2k,)."""
    if is_label:
        return smooth_top1_svm(logits, attended.long())
    return smooth_top1_svm(logits[attended], torch.zeros_like(attended[attended], dtype=torch.int64))
