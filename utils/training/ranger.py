"""Ranger: Lookahead (Zhang et al., NeurIPS 2019) over RAdam, started as the released code starts it."""

from __future__ import annotations

from typing import Any

import torch

from utils.training.radam import RAdam

SYNCHRONISATION = 6  # steps of the fast weights
ALPHA = 0.5


class Ranger(RAdam):
    """RAdam whose weights, the fast ones, are pulled towards slow ones after every 6th step.

    `slow += 0.5 (fast - slow)`, then `fast = slow`. The slow weights begin as the fast weights of the first
    synchronisation, as in the released code, so that step 6 pulls nothing back and step 12 is the first to do so. In
    Lookahead's paper they begin as the initial weights. A parameter without a gradient so far has no slow weights.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step of RAdam, and a synchronisation where it is due; `closure` is not supported."""
        super().step(closure)
        for group in self.param_groups:
            if group["updates"] % SYNCHRONISATION == 0:
                self._synchronise([p for p in group["params"] if self.state.get(p)])

    def _synchronise(self, fast: list[torch.Tensor]) -> None:
        for p in fast:
            self.state[p].setdefault("slow", p.detach().clone())
        if fast:
            slow = [self.state[p]["slow"] for p in fast]
            torch._foreach_lerp_(slow, fast, ALPHA)
            torch._foreach_copy_(fast, slow)
