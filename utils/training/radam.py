"""RAdam (Liu et al., ICLR 2020) on torch's fused AdamW kernel, one pass over the memory of parameters and moments.

torch.optim.RAdam has no fused kernel and goes over them about ten times: 6.8 ms against 1.4 ms a step for the 3.5
million parameters of MiCo, which is a third of a training step on small bags (2 CPU cores).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

# Added to the root of the second moment, it is their sum, to the last bit of float32.
DOMINANT = 2.0**80


class RAdam(torch.optim.AdamW):
    """Rectified Adam with weight decay decoupled from the gradient.

    With bias-corrected moments `m` and `v` and `rho = rho_inf - 2 t beta_2^t / (1 - beta_2^t)` after t steps:
    `p -= lr weight_decay p`, then `p -= lr r m / (sqrt(v) + eps')` where `rho > 5`, and `p -= lr m` before. `r` is the
    rectification; `eps' = eps / sqrt(1 - beta_2^t)`, as in torch.optim.RAdam. AdamW's step is both of these, for a
    learning rate of `lr r`, or of `lr DOMINANT` with an eps of `DOMINANT`.
    """

    def __init__(self, params: Iterable[Any], *, lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay, fused=True)
        # GradScaler then looks for infinities itself, and calls `step` for the steps that count only.
        self._step_supports_amp_scaling = False

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step; `closure` is not supported."""
        if closure is not None:
            raise ValueError("got a closure, expected a step after the gradients have been computed")
        asked = [{name: group[name] for name in ("lr", "eps", "weight_decay")} for group in self.param_groups]
        for group in self.param_groups:
            group["updates"] = self._updates(group) + 1
            factor, eps = rectified(group["updates"], group["betas"][1], group["eps"])
            # The decay is multiplied with the learning rate, whose factor it must not have.
            group.update(lr=group["lr"] * factor, eps=eps, weight_decay=group["weight_decay"] / factor)
        try:
            super().step()
        finally:
            for group, options in zip(self.param_groups, asked, strict=True):
                group.update(options)

    def _updates(self, group: dict[str, Any]) -> int:
        """Steps so far; a state that torch.optim.RAdam saved has them with each parameter only."""
        if "updates" in group:
            return int(group["updates"])
        return max((int(self.state[p]["step"]) for p in group["params"] if self.state.get(p)), default=0)


def rectified(t: int, beta2: float, eps: float) -> tuple[float, float]:
    """The factor of the learning rate, and the eps, with which Adam's step number t is RAdam's."""
    bias_correction = 1 - beta2**t
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / bias_correction
    if rho <= 5:
        return DOMINANT, DOMINANT
    r = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
    return r, eps / math.sqrt(bias_correction)
