from __future__ import annotations

from pathlib import Path

import pytest

from utils.errors import UserError
from utils.files.format_version import VERSION
from utils.runs.predict_dir import (
    fold_predictions,
    holds_predictions,
    predict_dir,
    read_record,
    remove_cohort,
    write_record,
)

RECORD = {"cohort": "there", "task": "cls", "run": {}, "folds": [0], "warnings": [], "notes": []}


def test_a_record_reads_back(tmp_path: Path):
    folder = predict_dir(tmp_path, "there")
    write_record(folder, RECORD)
    assert folder == tmp_path / "predict" / "there"
    assert read_record(folder) == {"format": VERSION, **RECORD}
    assert holds_predictions(folder)


@pytest.mark.parametrize("name", RECORD)
def test_a_record_that_lacks_something_is_refused(tmp_path: Path, name: str):
    write_record(tmp_path, {key: value for key, value in RECORD.items() if key != name})
    with pytest.raises(UserError, match=f"{name} is None, expected"):
        read_record(tmp_path)


@pytest.mark.parametrize("folds", [["0"], [0.5], [-1], [10**30], "0" * 10_000])
def test_folds_that_are_none_are_refused(tmp_path: Path, folds: object):
    write_record(tmp_path, {**RECORD, "folds": folds})
    with pytest.raises(UserError, match=r"predict\.json: folds is .{1,62}, expected (integers|list)"):
        read_record(tmp_path)


def test_folds_are_found_in_numerical_order(tmp_path: Path):
    for name in ("predictions_fold10.csv", "predictions_fold2.csv", "predictions.csv", "predictions_fold02.csv"):
        (tmp_path / name).touch()
    assert list(fold_predictions(tmp_path)) == [2, 10]


def test_only_what_was_written_is_removed(tmp_path: Path):
    own = ("predictions.csv", "predictions_fold0.csv", "predict.json", "report.html", "summary.md", "partial.pt")
    for name in (*own, "notes.txt"):
        (tmp_path / name).touch()
    for folder in ("figures", "fold0", "folders"):
        (tmp_path / folder).mkdir()
    remove_cohort(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "folders"}
    assert not holds_predictions(tmp_path)
    remove_cohort(tmp_path / "nowhere")
