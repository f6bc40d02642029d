"""One scale for features before clustering and before the model, so that anchors and patches share a space."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils.errors import UserError

KINDS = ("none", "l2", "zscore")
_LENGTHS = (1e-10, 1e18)  # of rows whose squares float32 holds


class FeatureNorm(nn.Module):
    """How features are scaled. As the `feature_scale` of a model it moves with the model, outside of its state dict.

    Args:
        kind: `none`; `l2`, each patch to length 1; `zscore`, each feature to mean 0 and deviation 1
            over the training patches.
        mean: (D,) float32, for `zscore`.
        std: (D,) float32, for `zscore`; 1 for a feature that never varies.
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(self, kind: str = "none", mean: Tensor | None = None, std: Tensor | None = None) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Scale (M, D) features, in float32; `none` returns them as they are.

        Raises:
            ValueError: for `zscore` without mean and deviation.
        """
        if self.kind == "none":
            return features
        features = features.float()
        if self.kind == "l2":
            return _to_length_one(features)
        if self.mean is None or self.std is None:
            raise ValueError("got zscore without mean and std, expected a FeatureNorm from fit_zscore or from_json")
        return (features - self.mean) / self.std

    def to_json(self) -> dict[str, Any]:
        """As JSON values; float32 survives the way there and back."""
        if self.mean is None or self.std is None:
            return {"kind": self.kind}
        return {"kind": self.kind, "mean": self.mean.tolist(), "std": self.std.tolist()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> FeatureNorm:
        """The inverse of `to_json`.

        Raises:
            UserError: for another kind, or zscore without a finite mean and a positive deviation of each feature.
        """
        kind = value.get("kind") if isinstance(value, dict) else value
        if not isinstance(value, dict) or kind not in KINDS:
            raise UserError(f"got feature_norm {repr(kind)[:40]}, expected one of {', '.join(KINDS)}")
        if kind != "zscore":
            return cls(kind)
        try:
            mean, std = (torch.tensor(value[name], dtype=torch.float32) for name in ("mean", "std"))
        except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
            raise UserError("got zscore without numbers as mean and std, expected both for each feature") from error
        if mean.dim() != 1 or mean.shape != std.shape or not (mean.isfinite() & std.isfinite() & (std > 0)).all():
            raise UserError("got a zscore that cannot be used, expected a finite mean and a positive std per feature")
        return cls(kind, mean, std)


def _to_length_one(features: Tensor) -> Tensor:
    """Rows (M, D) over their lengths; rows of zeros stay.

    Rows whose squares leave float32, above 1.8e19 or below 1e-19, are brought into its range first.
    """
    length = features.norm(dim=1, keepdim=True)  # (M, 1)
    if bool(((length > _LENGTHS[1]) | (length < _LENGTHS[0])).any()):
        largest = features.abs().amax(dim=1, keepdim=True)
        is_odd = ((length > _LENGTHS[1]) | (length < _LENGTHS[0])) & (largest > 0)
        features = torch.where(is_odd, features / torch.where(is_odd, largest, 1), features)
    return F.normalize(features, dim=1)


def fit_zscore(blocks: Iterable[Tensor]) -> FeatureNorm:
    """Mean and population deviation of each feature over all patches of the blocks, one block in memory at a time.

    Blocks are merged by their means and squared deviations (Chan, Golub and LeVeque, 1983) in float64: sums of squares
    would cancel for features far from zero.

    Args:
        blocks: (M, D) tensors, at least one patch in all; a block may be empty.
    """
    count, mean, squares = 0, torch.zeros(()), torch.zeros(())
    low, high = torch.tensor(torch.inf), torch.tensor(-torch.inf)
    for block in blocks:
        if len(block) == 0:
            continue
        rows = block.double()  # (M, D)
        low, high = torch.minimum(low, rows.amin(dim=0)), torch.maximum(high, rows.amax(dim=0))
        block_mean = rows.mean(dim=0)
        block_squares = (rows - block_mean).square().sum(dim=0)
        total = count + len(rows)
        shift = block_mean - mean
        squares = squares + block_squares + shift.square() * (count * len(rows) / total)
        mean = mean + shift * (len(rows) / total)
        count = total
    if count == 0:
        raise ValueError("got no patches, expected at least one to fit zscore")
    std = (squares / count).sqrt().float()
    # The mean of equal numbers may be rounded, and squares be tiny instead of 0: the extremes tell what never varies.
    varies = (high > low) & (std > 0)
    return FeatureNorm("zscore", mean.float(), torch.where(varies, std, torch.ones_like(std)))
