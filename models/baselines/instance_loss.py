"""CLAM's instance loss: a smooth hinge loss on the most and least attended patches (Lu et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from models.output import InstanceLogits


def smooth_top1_svm(logits: Tensor, target: Tensor, *, tau: float = 1.0, margin: float = 1.0) -> Tensor:
    """The smooth multi-class hinge loss of each row (Berrada, Zisserman and Kumar, ICLR 2018, k = 1).

    For scores s of a row with target y:
    `loss = tau log sum_j exp((s_j + margin [j != y]) / tau) - s_y`,
    which for tau -> 0 is the hinge loss `max_j (s_j + margin [j != y]) - s_y`. The logarithm of the sum is taken
    without overflow; the authors' code has the hinge loss for rows whose two highest scores are more than
    tau log 1000 apart, which for tau = margin = 1 is at most 0.003 less.

    Args:
        logits: (..., C).
        target: (...) int64, in 0 .. C - 1.
        tau: temperature, above 0.
        margin: by how much the score of the target has to be the highest.

    Returns:
        (...), in float32 or wider.

    Raises:
        ValueError: for shapes that do not belong together, or a tau that is not above 0.
    """
    if logits.dim() < 1 or target.shape != logits.shape[:-1]:
        raise ValueError(f"got logits {tuple(logits.shape)}, target {tuple(target.shape)}; expected (..., C), (...)")
    if not tau > 0:
        raise ValueError(f"got tau {tau}, expected a number above 0")
    scores = logits.to(torch.promote_types(logits.dtype, torch.float32))
    target = target.unsqueeze(-1)  # (..., 1)
    others = torch.arange(logits.size(-1), device=logits.device) != target  # (..., C), [j != y]
    target_score = scores.gather(-1, target).squeeze(-1)  # (...)
    return tau * torch.logsumexp((scores + margin * others) / tau, dim=-1) - target_score


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
        ValueError: for labels that are not one for each case.
    """
    case, attended, n_cases = instances.case, instances.attended.unsqueeze(1), instances.n_cases
    if label.shape != (n_cases,):
        raise ValueError(f"got label of shape {tuple(label.shape)}, expected ({n_cases},), one for each case")
    classes = torch.arange(instances.logits.size(1), device=label.device)  # (C,)
    is_label = label[case].unsqueeze(1) == classes  # (R, C)
    losses = smooth_top1_svm(instances.logits, (is_label & attended).long())  # (R, C)
    says_something = is_label | attended  # (R, C)
    sums = losses.new_zeros(n_cases, len(classes)).index_add(0, case, losses.where(says_something, 0))  # (B, C)
    rows = torch.zeros_like(sums).index_add(0, case, says_something.to(sums.dtype))  # (B, C)
    return (sums / rows).mean()
