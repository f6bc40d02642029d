from __future__ import annotations

from pathlib import Path

import pytest

from datasets.folds.class_names import read_class_names
from datasets.folds.splits import read_fold
from utils.errors import UserError
from utils.files.atomic import write_json


def test_names_come_in_the_order_of_their_numbers(tmp_path: Path):
    write_json(tmp_path / "splits.json", {"classes": {"B": 1, "C": 2, "A": 0}})
    assert read_class_names(tmp_path, 3) == ("A", "B", "C")


def test_names_are_plain_text(tmp_path: Path):
    write_json(tmp_path / "splits.json", {"classes": {"muzino\u0308s  Ca": 0, "b": 1}})
    assert read_class_names(tmp_path, 2) == ("muzinös Ca", "b")


@pytest.mark.parametrize("record", [None, {}, {"classes": {}}, {"classes": None}])
def test_without_names_there_are_none(tmp_path: Path, record):
    if record is not None:
        write_json(tmp_path / "splits.json", record)
    assert read_class_names(tmp_path, 2) is None


@pytest.mark.parametrize(
    "classes",
    [
        ["a", "b"],
        {"a": 0},
        {"a": 0, "b": 2},
        {"a": 0, "b": "1"},
        {"a": 0, "b": 0},
        {"a": False, "b": True},
        {"a": 0.0, "b": 1.0},
    ],
)
def test_names_of_other_classes_are_refused(tmp_path: Path, classes):
    write_json(tmp_path / "splits.json", {"classes": classes})
    with pytest.raises(UserError, match="expected the names of the 2 classes of the folds beside it"):
        read_class_names(tmp_path, 2)


@pytest.mark.parametrize(
    ("name", "why"),
    [("=1", "begins with '='"), ("a\x1b[0m", r"unprintable '\\x1b'"), ("", "is empty"), ("x" * 300, "has 300 bytes")],
)
def test_names_that_tables_cannot_hold_are_refused(tmp_path: Path, name: str, why: str):
    write_json(tmp_path / "splits.json", {"classes": {name: 0, "b": 1}})
    with pytest.raises(UserError, match=f"splits.json: the class name .*{why}.*; make the splits again"):
        read_class_names(tmp_path, 2)


def test_two_names_that_look_the_same_are_refused(tmp_path: Path):
    write_json(tmp_path / "splits.json", {"classes": {"u\u0308": 0, "\u00fc": 1}})
    with pytest.raises(UserError, match=r"two classes have the same name \('ü' and 'ü'\)"):
        read_class_names(tmp_path, 2)


def test_a_record_without_end_is_one_sentence(tmp_path: Path):
    (tmp_path / "splits.json").write_text('{"classes": ' + "[" * 5000 + "]" * 5000 + "}")
    with pytest.raises(UserError, match="is no JSON text"):
        read_class_names(tmp_path, 2)


def test_a_fold_has_the_names_beside_it():
    assert read_fold(Path("splits/ucsb_breast/fold0.csv"), "cls").class_names == ("benign", "malignant")
