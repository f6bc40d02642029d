"""Whether the parts of a checkpoint, or of an exported fold, are of the kinds that they must be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from utils.anchors.feature_norm import FeatureNorm
from utils.errors import UserError

_ADVICE = "take it from its source again, or train this fold again"


def check_parts(design: Any, weights: Any, source: Path) -> None:
    """Raise UserError unless there is a description of a model, and tensors of finite numbers by name.

    Args:
        design: what `utils.pipeline.models.architecture` says.
        weights: a state dict.
        source: the file, for messages.
    """
    if not isinstance(design, Mapping):
        raise UserError(f"{source} holds {type(design).__name__} as the description of its model: {_ADVICE}")
    if not isinstance(weights, Mapping) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise UserError(f"{source} holds something else than tensors as the weights of its model: {_ADVICE}")
    for name, value in weights.items():
        if value.is_complex() or not value.isfinite().all():
            raise UserError(
                f"{source} holds NaN or infinity in {name}, expected finite parameters: remove it and train this fold "
                "again"
            )


def check_epoch(epoch: Any, source: Path) -> int:
    """The epoch that weights are of, 1 or more; raises UserError for anything else."""
    if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 1:
        raise UserError(f"{source} holds {repr(epoch)[:40]} as its epoch, expected 1 or more: {_ADVICE}")
    return epoch


def scale_of_features(feature_norm: Any, dim_in: int, source: Path) -> FeatureNorm:
    """The scale of the features; raises UserError for one that cannot be used, or of features of another width."""
    try:
        norm = FeatureNorm.from_json(feature_norm)
    except UserError as error:
        raise UserError(f"{source} holds a scale of the features that cannot be used ({error}): {_ADVICE}") from error
    if norm.mean is not None and len(norm.mean) != dim_in:
        raise UserError(
            f"{source} holds a scale of {len(norm.mean)} features for a model of features of width {dim_in}: {_ADVICE}"
        )
    return norm
