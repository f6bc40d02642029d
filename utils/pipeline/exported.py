"""The folder of an exported model, written and read here: weights, `model.json`, and who it was trained on.

`fold{k}.safetensors` holds the weights of a fold, and beside them mean and deviation of a zscore of the features.
`model.json` holds the rest, `trained_on.json` digests of the names of training and validation cases.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import Tensor

from utils.errors import UserError
from utils.files.atomic import atomic_path, write_json
from utils.files.format_version import check_version, versioned
from utils.files.json_object import read_json_object
from utils.files.provenance import digest
from utils.files.tensors import damage_told
from utils.runs.tasks import TASKS

MODEL_RECORD = "model.json"
TRAINED_ON = "trained_on.json"
ADVICE = "export the run again with python -m utils.pipeline.export"
_NORM = "feature_norm."  # of the tensors of a zscore, beside the weights
_OF_RECORD = {"task": str, "dataset": str, "model": str, "formulation": str, "dim_in": int, "n_outputs": int}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < sys.float_info.max


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


# What an entry of `folds` has, and whether a value is one.
_OF_FOLD: dict[str, Callable[[Any], bool]] = {
    "fold": _is_whole,
    "weights": lambda value: isinstance(value, str),
    "sha256": lambda value: isinstance(value, str),
    "architecture": lambda value: isinstance(value, dict),
    "feature_norm": lambda value: isinstance(value, dict),
    "epoch": _is_whole,
    "cut_off": lambda value: value is None or _is_number(value),
    "threshold": lambda value: value is None or _is_number(value),  # absent in models of before
    "inner_edges": lambda value: value is None or (isinstance(value, list) and all(map(_is_number, value))),
}


@dataclass(frozen=True)
class ExportedFold:
    """One fold of an exported model.

    Attributes:
        architecture: the arguments of `build_model`.
        weights: the state dict.
        feature_norm: the scale of the features, as `FeatureNorm.to_json` gives it.
        epoch: that the weights are of.
        cut_off: the median risk of the training cases (survival; None in classification).
        threshold: of the probability of class 1 (two classes; None where the validation cases define none).
        inner_edges: the inner edges of the time bins in months; None where they are not known.
        trained_on: digests of the names of the training cases.
        chosen_on: digests of the names of the validation cases.
        source: the file of the weights.
    """

    architecture: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    feature_norm: Mapping[str, Any]
    epoch: int
    cut_off: float | None
    threshold: float | None
    inner_edges: tuple[float, ...] | None
    trained_on: frozenset[str]
    chosen_on: frozenset[str]
    source: Path


def write_exported(folder: Path, record: Mapping[str, Any], folds: Mapping[int, ExportedFold]) -> None:
    """Write the folds, then `trained_on.json`, and last `model.json`, each atomically."""
    of_folds = []
    for k, fold in sorted(folds.items()):
        path = folder / f"fold{k}.safetensors"
        tensors = {name: value.contiguous() for name, value in fold.weights.items()}
        norm = dict(fold.feature_norm)
        for name in ("mean", "std"):
            if name in norm:
                tensors[_NORM + name] = Tensor(norm.pop(name))
        with atomic_path(path) as temporary:
            temporary.write_bytes(save(tensors))  # save_file hides what the system says
        of_folds.append(
            {
                "fold": k,
                "weights": path.name,
                "sha256": digest(path),
                "architecture": dict(fold.architecture),
                "feature_norm": norm,
                "epoch": fold.epoch,
                "cut_off": fold.cut_off,
                "threshold": fold.threshold,
                "inner_edges": None if fold.inner_edges is None else list(fold.inner_edges),
            }
        )
    names = {
        f"fold{k}": {"trained_on": sorted(fold.trained_on), "chosen_on": sorted(fold.chosen_on)}
        for k, fold in sorted(folds.items())
    }
    write_json(folder / TRAINED_ON, names)
    write_json(folder / MODEL_RECORD, versioned({**record, "folds": of_folds}))


def read_exported(folder: Path) -> tuple[dict[str, Any], dict[int, ExportedFold]]:
    """The record of an exported model, and its folds.

    Raises:
        UserError: for a file that is missing, damaged, changed since it was written, or of a later format.
    """
    path = folder / MODEL_RECORD
    record = read_json_object(path, advice=ADVICE)
    check_version(record, path)
    for name, kind in _OF_RECORD.items():
        if not isinstance(record.get(name), kind):
            raise UserError(f"{path}: {name} is {repr(record.get(name))[:60]}, expected {kind.__name__}; {ADVICE}.")
    if record["task"] not in TASKS:
        raise UserError(f"{path}: task is {record['task'][:60]!r}, expected one of {', '.join(TASKS)}; {ADVICE}.")
    names = read_json_object(folder / TRAINED_ON, advice=ADVICE)
    folds = {}
    entries = record.get("folds")
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        wrong = [name for name, fits in _OF_FOLD.items() if not (isinstance(entry, dict) and fits(entry.get(name)))]
        if wrong:
            raise UserError(f"{path}: entry {number} of folds lacks or misstates {wrong[0]}; {ADVICE}.")
        of_weights = {name: entry["architecture"].get(name, record[name]) for name in ("dim_in", "n_outputs")}
        if any(value != record[name] for name, value in of_weights.items()):
            raise UserError(
                f"{path}: fold {entry['fold']} holds weights that do not fit their description "
                f"({repr(of_weights)[:60]}); {ADVICE}."
            )
        of_fold = names.get(f"fold{entry['fold']}")
        if not isinstance(of_fold, dict) or not all(
            _are_texts(of_fold.get(key)) for key in ("trained_on", "chosen_on")
        ):
            raise UserError(f"{folder / TRAINED_ON}: lacks or misstates fold{entry['fold']}; {ADVICE}.")
        folds[int(entry["fold"])] = _read_fold(folder, entry, of_fold)
    if not folds:
        raise UserError(f"{path}: has no folds, expected one or more; {ADVICE}.")
    return {**record, "folds": sorted(folds)}, folds


def _read_fold(folder: Path, entry: Mapping[str, Any], names: Mapping[str, Any]) -> ExportedFold:
    path = folder / Path(str(entry["weights"])).name  # beside model.json, wherever the name points
    with damage_told(path, lambda reason: f"{path} cannot be read ({reason}); {ADVICE}."):
        if path.exists() and not path.is_file():
            raise ValueError("it is no regular file")
        if digest(path) != entry["sha256"]:
            raise UserError(f"{path} is another file than the one that {MODEL_RECORD} describes; {ADVICE}.")
        tensors = load_file(path)
    norm = dict(entry["feature_norm"])
    norm |= {name: tensors.pop(_NORM + name).tolist() for name in ("mean", "std") if _NORM + name in tensors}
    edges = entry.get("inner_edges")
    return ExportedFold(
        architecture=entry["architecture"],
        weights=tensors,
        feature_norm=norm,
        epoch=int(entry["epoch"]),
        cut_off=entry.get("cut_off"),
        threshold=entry.get("threshold"),
        inner_edges=None if edges is None else tuple(edges),
        trained_on=frozenset(names["trained_on"]),
        chosen_on=frozenset(names["chosen_on"]),
        source=path,
    )
