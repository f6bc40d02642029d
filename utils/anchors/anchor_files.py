"""Anchor files: the one module that writes and reads them.

`{name}_C_{K}_init[_fold{k}].pt` holds the data-set anchors, a float32 tensor (K, D), and
`{name}_C_{K}_slides/{slide_id}.pt` those of each slide. A `.json` of the same stem beside either holds how they were
made, and the feature_norm.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from utils.anchors.feature_norm import FeatureNorm
from utils.errors import UserError
from utils.files.atomic import write_json
from utils.files.tensors import REPEATED_BYTES, damage_told, load_tensor_or_array, save_tensors, unusual_kind


@dataclass(frozen=True)
class Provenance:
    """How anchors were made, as written beside them.

    Attributes:
        feature_norm: what was applied to the features before clustering.
        record: the whole JSON record; empty for anchors that came without one.
    """

    feature_norm: FeatureNorm
    record: dict[str, Any]

    @property
    def slides(self) -> frozenset[str]:
        """The slides that data-set anchors were fitted on."""
        return frozenset(self.record.get("slides", ()))


def dataset_anchors_path(output_dir: Path, name: str, n_clusters: int, fold: str | None) -> Path:
    """`{name}_C_{K}_init.pt`, or `..._init_fold0.pt` when fitted on the training slides of `fold0.csv`."""
    return output_dir / f"{name}_C_{n_clusters}_init{f'_{fold}' if fold else ''}.pt"


def slide_anchors_dir(output_dir: Path, name: str, n_clusters: int, fold: str | None) -> Path:
    """`{name}_C_{K}_slides`; with a fold's name when its training slides set the scale of the features."""
    return output_dir / f"{name}_C_{n_clusters}_slides{f'_{fold}' if fold else ''}"


def provenance_path(anchors: Path) -> Path:
    """The record beside an anchor file or a directory of slide anchors."""
    if anchors.name in ("", ".."):  # the working directory or one above it, which have a name only when resolved
        anchors = anchors.resolve()
    return anchors.parent / f"{anchors.name.removesuffix('.pt')}.json"


def write_anchors(path: Path, centroids: np.ndarray) -> None:
    """Write centroids (K, D) as a plain float32 tensor, atomically; equal centroids give equal bytes."""
    save_tensors(path, torch.from_numpy(np.ascontiguousarray(centroids, dtype=np.float32)))


def write_provenance(anchors: Path, record: dict[str, Any], feature_norm: FeatureNorm) -> None:
    """Write the record beside an anchor file or a directory of slide anchors."""
    write_json(provenance_path(anchors), {**record, "feature_norm": feature_norm.to_json()})


def read_provenance(anchors: Path) -> Provenance:
    """Read the record beside anchors; without one (the released code wrote none) features stay as they are.

    Raises:
        UserError: for a record that cannot be read, is no JSON, or has no usable feature_norm or list of slides.
    """
    path = provenance_path(anchors)
    if not path.exists():
        return Provenance(FeatureNorm(), {})
    with damage_told(path, lambda reason: _unusable_record(path, reason)):
        if not path.is_file():
            raise ValueError("it is no regular file")
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or "feature_norm" not in record:
            raise ValueError("expected a JSON object with feature_norm")
        slides, features = record.get("slides", []), record.get("features", {})
        if not isinstance(slides, list) or not all(isinstance(slide_id, str) for slide_id in slides):
            raise ValueError("expected a list of slide ids as slides")
        if not isinstance(features, dict) or not all(isinstance(value, str) for value in features.values()):
            raise ValueError("expected the fingerprint of each slide as features")
        try:
            return Provenance(FeatureNorm.from_json(record["feature_norm"]), record)
        except UserError as error:
            raise UserError(_unusable_record(path, str(error))) from error


def _unusable_record(path: Path, reason: str) -> str:
    return f"the record of the anchors, {path}, cannot be read ({reason}): fit the anchors again"


def read_anchors(path: Path, n_clusters: int | None, dim_in: int) -> Tensor:
    """Read anchors (K, D) as float32: a tensor, or a pickled numpy array of the released code.

    Args:
        path: data-set anchors, or those of one slide.
        n_clusters: K that is expected; None takes any.
        dim_in: D that is expected, the width of the features.

    Raises:
        UserError: for a file that is missing, holds anything but an array, or has another shape.
    """
    if not path.is_file():
        raise UserError(f"no anchor file at {path}: fit the anchors with run_clustering.py, or correct the path")
    with damage_told(path, lambda reason: _refused(path, reason)):
        value = load_tensor_or_array(path)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        with np.errstate(over="ignore"):  # beyond float32 it becomes infinity, which is refused below
            value = torch.from_numpy(value.astype(np.float32))
    if not isinstance(value, Tensor) or not value.is_floating_point() or unusual_kind(value) is not None:
        raise UserError(
            f"{path} holds {_kind_of(value)}, expected a tensor or array of floating-point anchors: fit the anchors "
            "with run_clustering.py, or name another file"
        )
    shape = tuple(value.shape)
    matrix = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
    if len(matrix) != 2:
        raise UserError(
            f"{path} holds a tensor of shape {shape}, expected (K, D) or (1, K, D): fit the anchors with "
            "run_clustering.py, or name another file"
        )
    if matrix[1] != dim_in:
        raise UserError(
            f"{path} holds anchors of width {matrix[1]} and the features have width {dim_in}: fit the anchors on "
            "these features"
        )
    if n_clusters is not None and matrix[0] != n_clusters:
        raise UserError(f"{path} holds {matrix[0]} anchors and --n_clusters is {n_clusters}: make them equal")
    if value.nbytes > max(REPEATED_BYTES, value.untyped_storage().nbytes()):
        raise UserError(f"{path} holds {matrix[0]} anchors, the same numbers over and over: fit the anchors again")
    anchors = value.reshape(matrix).detach().as_subclass(Tensor).to(torch.float32).contiguous()
    if not bool(torch.isfinite(anchors).all()):
        raise UserError(f"{path} holds NaN or infinity: fit the anchors again")
    return anchors


def _refused(path: Path, reason: str) -> str:
    return (
        f"{path} is refused as an anchor file ({reason}): expected a tensor or array; fit the anchors with "
        "run_clustering.py, or name another file"
    )


def _kind_of(value: Any) -> str:
    unusual = unusual_kind(value) if isinstance(value, Tensor) else None
    name = type(value).__name__
    return unusual or (f"{name} of {value.dtype}" if isinstance(value, Tensor | np.ndarray) else name)
