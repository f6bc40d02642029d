"""How a trained MiCo mixes its anchors: the Jacobian of the Cluster Reducers at the anchors they were given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from models.cluster_reducer import ClusterReducer
from models.mico import MiCo

_ROWS_AT_ONCE = 4096  # 17 MB a product with K = 64 and 3 stages


class ReducerMixing:
    """Means of the reducers' Jacobians over features and slides, in float64, while forward passes go by.

    A reducer works on each feature i of a slide's anchors s (K_l, d) alone, and is linear around it (Eq. 5):
    `J_l(i) = W2 diag(1[W1 s_i + b1 > 0]) W1`, (K_l / 2, K_l), with s_i the K_l values of feature i. Entry (j, k) is the
    change of anchor j after the stage per small change of anchor k before it. Of L stages with K anchors in the first:

    - the mixing of stage l is the mean of J_l(i);
    - the overall mixing is the mean of the product `J_L(i) ... J_1(i)`, (K / 2^L, K). In the paper form, patches move
      anchors between two reducers; there it says what the reducers alone hand on.

    Anchors that all slides share (released form, anchors of the data set) count once in a forward pass, otherwise each
    slide counts once. At 0 the derivative of ReLU is 0, as in torch. In memory are masks of one forward pass (a byte
    for each number in the reducers) and products of a bounded number of features.

    Args:
        reducers: one for each stage; empty where the ablation without reducers passes all anchors on as they are.
    """

    def __init__(self, reducers: list[ClusterReducer]) -> None:
        self._reducers = reducers
        self._masks: list[Tensor] = []
        self._sums: list[Tensor] = []
        self._overall: Tensor | None = None
        self._n_rows = 0

    @property
    def stages(self) -> list[Tensor]:
        """The mixing of each stage, (K_l / 2, K_l); empty without reducers.

        Raises:
            ValueError: no forward pass was seen.
        """
        self._require_rows()
        sums = zip(self._reducers, self._sums, strict=True)
        return [_jacobian(reducer, active / self._n_rows).cpu() for reducer, active in sums]

    @property
    def overall(self) -> Tensor | None:
        """The mixing of all stages, (K / 2^L, K); None without reducers.

        Raises:
            ValueError: no forward pass was seen.
        """
        self._require_rows()
        return None if self._overall is None else (self._overall / self._n_rows).cpu()

    def record(self) -> dict[str, Any] | None:
        """`stages` and `overall` as nested lists, for a file; None without reducers.

        Raises:
            ValueError: no forward pass was seen.
        """
        overall = self.overall
        return None if overall is None else {"stages": [s.tolist() for s in self.stages], "overall": overall.tolist()}

    @torch.no_grad()
    def see(self, stage: int, before_relu: Tensor) -> None:
        """Take up `W1 s_i + b1` (..., d, K_l) of a stage; the stages of one forward pass come one after the other.

        Raises:
            ValueError: a stage out of order, or of other slides than the stage before it.
        """
        masks = self._masks[:] if stage else []
        if stage != len(masks):
            raise ValueError(f"got stage {stage} after {len(masks)} stages of the same forward pass, expected the next")
        masks.append((before_relu > 0).flatten(0, -2))  # (n_slides d, K_l)
        if len(masks[0]) != len(masks[-1]):
            raise ValueError(f"got {len(masks[-1])} features in stage {stage}, expected {len(masks[0])} as before it")
        self._masks = masks
        if len(masks) == len(self._reducers):
            self._masks = []
            self._add(masks)

    def _add(self, masks: list[Tensor]) -> None:
        """Take up all features of one forward pass."""
        active = [sum(m.sum(dim=0, dtype=torch.float64) for m in mask.split(_ROWS_AT_ONCE)) for mask in masks]
        parts = zip(*[mask.split(_ROWS_AT_ONCE) for mask in masks], strict=True)
        overall = torch.stack([self._summed_product(list(part)) for part in parts]).sum(dim=0)
        self._sums = [old + new for old, new in zip(self._sums, active, strict=True)] if self._sums else active
        self._overall = overall if self._overall is None else self._overall + overall
        self._n_rows += len(masks[0])

    def _summed_product(self, masks: list[Tensor]) -> Tensor:
        """`sum_i J_L(i) ... J_1(i)` over rows (n, K_l) of the masks, from the left: the remaining anchors are few."""
        last = self._reducers[-1].fc2.out_features
        product: Tensor = torch.eye(last, dtype=torch.float64, device=masks[0].device)  # (R, R), R = K / 2^L
        for index in range(len(masks) - 1, -1, -1):
            w1, w2 = _weights(self._reducers[index])
            through = (product @ w2) * masks[index].unsqueeze(1)  # (n, R, K_l)
            product = through.sum(dim=0) @ w1 if index == 0 else through @ w1
        return product  # (R, K)

    def _require_rows(self) -> None:
        if self._reducers and not self._n_rows:
            raise ValueError("got no forward pass, expected one of at least one slide")


@contextmanager
def observe_mixing(model: MiCo) -> Iterator[ReducerMixing]:
    """See the reducers of each forward pass within the block, by hooks that are gone after it.

    Outputs of the model do not change. In evaluation mode each slide is reduced once in a forward pass, in blocks of
    patches too. A forward pass that an error breaks off is not counted.

    Raises:
        ValueError: some of the model's reducers are left out and others not.
    """
    reducers = [reducer for reducer in model.cluster_reducers if isinstance(reducer, ClusterReducer)]
    if len(reducers) not in (0, len(model.cluster_reducers)):
        raise ValueError(f"got {len(reducers)} reducers in {len(model.cluster_reducers)} stages, expected all or none")
    mixing = ReducerMixing(reducers)
    handles = [
        reducer.fc1.register_forward_hook(_hook(partial(mixing.see, stage))) for stage, reducer in enumerate(reducers)
    ]
    try:
        yield mixing
    finally:
        for handle in handles:
            handle.remove()


def _hook(see: Callable[[Tensor], None]) -> Callable[[nn.Module, Any, Tensor], None]:
    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        see(output)

    return hook


def _jacobian(reducer: ClusterReducer, active: Tensor) -> Tensor:
    """`W2 diag(active) W1`, (K / 2, K): linear in the mask, so the mean of masks gives the mean of Jacobians."""
    w1, w2 = _weights(reducer)
    return (w2 * active) @ w1


def _weights(reducer: ClusterReducer) -> tuple[Tensor, Tensor]:
    return reducer.fc1.weight.detach().double(), reducer.fc2.weight.detach().double()
