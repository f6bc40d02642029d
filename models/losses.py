"""Discrete-time survival: hazards, survival, risk, and the negative log-likelihood.

Logits (B, C) are those of the hazards of C time bins. Sums of logarithms in float32 whatever the training precision:
in bfloat16 a product of four survival probabilities keeps two digits.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LOG_FLOOR = math.log(1e-7)


def hazards(logits: Tensor) -> Tensor:
    """`hazard_j = sigmoid(logit_j)`: the probability to die in bin j, given survival up to it; (B, C) to (B, C)."""
    return torch.sigmoid(_wide(logits))


def log_survival(logits: Tensor) -> Tensor:
    """`log S_j = sum_{i <= j} log(1 - hazard_i)`: surviving bin j; (B, C) to (B, C)."""
    return torch.cumsum(F.logsigmoid(-_wide(logits)), dim=1)


def risk(logits: Tensor) -> Tensor:
    """`risk = - sum_j S_j`: higher means earlier death; (B, C) to (B,), in -C .. 0."""
    return -log_survival(logits).exp().sum(dim=1)


def nll_survival(logits: Tensor, bin: Tensor, censored: Tensor, alpha: float = 0.0) -> Tensor:
    """Negative log-likelihood of discrete-time survival, averaged over the cases.

    For a case in bin y, censored c = 0 or 1, with `S_-1 = 1` and every probability clamped below at 1e-7:
    `uncensored = -(1 - c) (log S_{y-1} + log hazard_y)`, `censored_part = -c log S_y`,
    `loss = (1 - alpha) (uncensored + censored_part) + alpha uncensored`.

    Args:
        logits: (B, C).
        bin: (B,) int64, y in 0 .. C - 1.
        censored: (B,), 1 = censored, 0 = death observed.
        alpha: weight that moves from all cases to the uncensored ones; 0 in every released configuration.

    Returns:
        A scalar in float32 or wider.

    Raises:
        ValueError: for shapes that do not belong together.
    """
    if logits.dim() != 2 or bin.shape != logits.shape[:1] or censored.shape != bin.shape:
        raise ValueError(
            f"got logits {tuple(logits.shape)}, bin {tuple(bin.shape)}, censored {tuple(censored.shape)}; "
            "expected (B, C), (B,), (B,)"
        )
    logits = _wide(logits)
    censored = censored.to(logits.dtype)
    log_s = log_survival(logits).clamp(min=LOG_FLOOR)  # (B, C)
    log_s_with_start = F.pad(log_s, (1, 0))  # (B, C + 1): column y is log S_{y-1}
    log_hazard = F.logsigmoid(logits).clamp(min=LOG_FLOOR)  # (B, C)

    y = bin.long().unsqueeze(1)  # (B, 1)
    log_s_before = log_s_with_start.gather(1, y).squeeze(1)  # (B,)
    log_s_through = log_s.gather(1, y).squeeze(1)  # (B,)
    log_hazard_y = log_hazard.gather(1, y).squeeze(1)  # (B,)

    uncensored = -(1 - censored) * (log_s_before + log_hazard_y)
    censored_part = -censored * log_s_through
    return ((1 - alpha) * (uncensored + censored_part) + alpha * uncensored).mean()


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.element_size() < 4 else x
