from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from utils.errors import UserError
from utils.pipeline import load_ensemble
from utils.pipeline.exported import ExportedFold, read_exported, write_exported

RECORD = {"task": "surv", "dataset": "A", "model": "abmil", "formulation": "none", "dim_in": 3, "n_outputs": 2}


def fold(**changes) -> ExportedFold:
    values = {
        "architecture": {"name": "abmil", "dim_in": 3},
        "weights": {"layer.weight": torch.arange(6.0).reshape(2, 3).t(), "half": torch.ones(2, dtype=torch.float16)},
        "feature_norm": {"kind": "zscore", "mean": [0.5, 1 / 3, 2.0], "std": [1.0, 2.0, 3.0]},
        "epoch": 7,
        "cut_off": -1.25,
        "threshold": 0.375,
        "inner_edges": (12.5,),
        "trained_on": frozenset({"ab", "cd"}),
        "chosen_on": frozenset({"ef"}),
        "source": Path(),
    }
    return ExportedFold(**values | changes)


def test_a_folder_reads_back(tmp_path: Path):
    write_exported(tmp_path, RECORD, {2: fold(), 0: fold(cut_off=None, inner_edges=None, feature_norm={"kind": "l2"})})
    record, folds = read_exported(tmp_path)
    assert {name: record[name] for name in RECORD} == RECORD
    assert record["folds"] == list(folds) == [0, 2]
    for name, value in fold().weights.items():
        assert torch.equal(folds[2].weights[name], value)
        assert folds[2].weights[name].dtype == value.dtype
    assert set(folds[2].weights) == set(fold().weights)
    norm = folds[2].feature_norm
    assert norm["kind"] == "zscore"
    assert torch.equal(torch.tensor(norm["mean"]), torch.tensor([0.5, 1 / 3, 2.0]))
    assert (folds[2].cut_off, folds[2].inner_edges, folds[2].epoch) == (-1.25, (12.5,), 7)
    assert folds[2].threshold == 0.375
    assert (folds[2].trained_on, folds[2].chosen_on) == ({"ab", "cd"}, {"ef"})
    assert (folds[0].cut_off, folds[0].inner_edges, folds[0].feature_norm) == (None, None, {"kind": "l2"})


def test_a_model_of_before_thresholds_can_be_read(tmp_path: Path):
    write_exported(tmp_path, RECORD, {0: fold()})
    record = json.loads((tmp_path / "model.json").read_text())
    del record["folds"][0]["threshold"]
    (tmp_path / "model.json").write_text(json.dumps(record))
    assert read_exported(tmp_path)[1][0].threshold is None


def _without_fold(folder: Path) -> None:
    (folder / "trained_on.json").write_text("{}")


def _other_weights(folder: Path) -> None:
    (folder / "fold0.safetensors").write_bytes(b"\0" * 100)


def _later_format(folder: Path) -> None:
    record = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(record | {"format": 2}))


def _lacks_task(folder: Path) -> None:
    record = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({name: value for name, value in record.items() if name != "task"}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_without_fold, "lacks or misstates fold0"),
        (_other_weights, "is another file than the one that model.json describes"),
        (_later_format, "was written by a later version of this code"),
        (_lacks_task, "task is None, expected str"),
        (lambda folder: (folder / "fold0.safetensors").unlink(), "cannot be read"),
        (lambda folder: (folder / "trained_on.json").unlink(), "cannot be read"),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path: Path, damage, said: str):
    write_exported(tmp_path, RECORD, {0: fold()})
    damage(tmp_path)
    with pytest.raises(UserError, match=said):
        read_exported(tmp_path)


def _entry(name: str, value) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        record = json.loads((folder / "model.json").read_text())
        record["folds"][0][name] = value
        (folder / "model.json").write_text(json.dumps(record))

    return damage


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fold", "x"),
        ("cut_off", "high"),
        ("threshold", "high"),
        ("inner_edges", "12"),
        ("architecture", None),
        ("epoch", None),
    ],
)
def test_an_entry_that_is_misstated_is_named(tmp_path: Path, name: str, value):
    write_exported(tmp_path, RECORD, {0: fold()})
    _entry(name, value)(tmp_path)
    with pytest.raises(UserError, match=f"entry 0 of folds lacks or misstates {name}"):
        read_exported(tmp_path)


@pytest.mark.parametrize("architecture", [{"name": "nobody"}, {"name": "abmil", "dim_in": 3, "n_outputs": 2}, {}])
def test_weights_that_do_not_fit_are_one_sentence(tmp_path: Path, architecture: dict):
    write_exported(tmp_path, RECORD, {0: fold(architecture=architecture, feature_norm={"kind": "none"})})
    with pytest.raises(UserError, match="holds weights that do not fit their description"):
        load_ensemble(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cut_off", 10**400),
        ("cut_off", float("nan")),
        ("inner_edges", [float("inf")]),
        ("fold", 10**12),
        ("fold", -1),
        ("epoch", True),
        ("feature_norm", [1]),
        ("sha256", 7),
    ],
    ids=range(8),
)
def test_a_number_that_cannot_be_is_named(tmp_path: Path, name: str, value):
    write_exported(tmp_path, RECORD, {0: fold()})
    _entry(name, value)(tmp_path)
    with pytest.raises(UserError, match=f"entry 0 of folds lacks or misstates {name}"):
        read_exported(tmp_path)


@pytest.mark.parametrize("weights", ["", ".", "..", "a\0b", "x" * 300, "/etc/passwd", "fold0.safetensors/"])
def test_weights_are_looked_for_beside_the_record_only(tmp_path: Path, weights: str):
    write_exported(tmp_path, RECORD, {0: fold()})
    _entry("weights", weights)(tmp_path)
    if weights == "fold0.safetensors/":
        assert read_exported(tmp_path)[0]["folds"] == [0]
        return
    with pytest.raises(UserError, match="cannot be read"):
        read_exported(tmp_path)


def test_a_pipe_in_the_place_of_weights_is_not_waited_for(tmp_path: Path):
    write_exported(tmp_path, RECORD, {0: fold()})
    (tmp_path / "fold0.safetensors").unlink()
    os.mkfifo(tmp_path / "fold0.safetensors")
    with pytest.raises(UserError, match="no regular file"):
        read_exported(tmp_path)


@pytest.mark.parametrize(("name", "value"), [("task", "other"), ("dim_in", 10**9), ("folds", 7), ("folds", {"a": 1})])
def test_a_record_that_does_not_fit_is_one_sentence(tmp_path: Path, name: str, value):
    write_exported(tmp_path, RECORD, {0: fold()})
    record = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(record | {name: value}))
    with pytest.raises(UserError, match=r"task is 'other'|do not fit their description|has no folds"):
        read_exported(tmp_path)
