"""Runs that earlier versions of this code have left behind go on, are tested, and are applied: one of each format.

`tests/reference/run_of_this_format.py` says what they are and writes a new one when the format changes.
"""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import options_of
from tests.commands.conftest import Command
from tests.reference.run_of_this_format import DATA, RUN, RUN_DIR
from utils.errors import UserError
from utils.files.format_version import VERSION
from utils.files.tensors import load_tensors, save_tensors
from utils.runs.epoch_log import read_log
from utils.runs.protocol import defaults_of_then
from utils.runs.run_claim import permit

FORMATS = sorted(DATA.glob("run_format_*"))
MADE_ONCE = ("checkpoint.pt", "metrics.json", "predictions_test.csv", "predictions_val.csv", "predictions_train.csv")


@pytest.fixture(params=FORMATS, ids=lambda path: path.name)
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run of each format; the working directory is the one in which it was made."""
    place = tmp_path / "copy"
    shutil.copytree(request.param, place)
    monkeypatch.chdir(place)
    return RUN_DIR


def numbers(path: Path) -> np.ndarray:
    """Risks and hazards of a prediction file (n, columns)."""
    return numbers_of(path.read_bytes())


def numbers_of(content: bytes) -> np.ndarray:
    rows = list(csv.DictReader(content.decode().splitlines()))
    return np.array([[float(row[name]) for name in ("risk", "hazard_0", "hazard_1")] for row in rows])


def edit(path: Path, **changes: Any) -> None:
    """Change values of run.json; a value of `...` is removed."""
    content = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}), encoding="utf-8")


def test_the_present_format_is_kept():
    assert (DATA / f"run_format_{VERSION}").is_dir(), "write it: python -m tests.reference.run_of_this_format"


def test_a_finished_run_stays_as_it_is(run: Path, run_main: Command):
    files = [run / f"fold{k}" / name for k in (0, 1) for name in MADE_ONCE]
    before = [path.read_bytes() for path in files]
    said = run_main(*RUN, "--resume").check().out
    assert "fold 0 is finished" in said
    assert [path.read_bytes() for path in files] == before


def test_it_is_trained_further(run: Path, run_main: Command):
    before = [read_log(run / f"fold{k}/log.csv") for k in (0, 1)]
    run_main(*RUN, "--resume", "--epochs", "5").check()
    for k in (0, 1):
        log = read_log(run / f"fold{k}/log.csv")
        assert log["epoch"].tolist() == [1, 2, 3, 4, 5]
        assert log[:3].equals(before[k])


def test_its_checkpoints_predict_what_they_did(run: Path, run_main: Command):
    """On whatever processor; the training of then may round otherwise, so it is not repeated."""
    before = [numbers(run / f"fold{k}/predictions_test.csv") for k in (0, 1)]
    run_main(*RUN, "--stage", "test", "--overwrite").check()
    for k in (0, 1):
        np.testing.assert_allclose(numbers(run / f"fold{k}/predictions_test.csv"), before[k], rtol=0, atol=1e-5)


def test_it_is_applied_to_a_cohort(run: Path, run_main: Command):
    options = ("--features_dir", "features", "--cohort", "again", "--allow_patient_overlap", "--device", "cpu")
    run_main("--stage", "predict", "--run_dir", run, *options).check()
    assert len(numbers(run / "predict/again/predictions.csv")) == 21  # without a table, each slide is a case


def record_of(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return content


def test_an_option_of_later_has_its_default_of_then(run: Path):
    """Each option that decides results, taken out of the record: the run goes on where it was at its default."""
    new = record_of(run)
    default, at_default = defaults_of_then(new), 0
    for name, value in new["settings"].items():
        if name not in default or name in ("monitor", "tie_rule", "precision"):  # of these another rule knows
            continue
        edit(run / "run.json", settings={key: other for key, other in new["settings"].items() if key != name})
        if value == default[name]:
            at_default += 1
            permit(run, new, stage="all", resume=True, overwrite=False)
        else:
            with pytest.raises(UserError, match=rf"{name} was .* and is "):
                permit(run, new, stage="all", resume=True, overwrite=False)
    assert at_default > len(options_of("mico"))


def test_a_key_more_in_the_record_is_ignored(run: Path, run_main: Command):
    settings = {**record_of(run)["settings"], "option_that_went": 1}
    edit(run / "run.json", key_of_another_version={"a": [1]}, settings=settings)
    run_main(*RUN, "--resume").check()


def test_a_key_less_in_the_record_is_a_sentence_or_no_harm(run: Path):
    new = record_of(run)
    for name in new:
        edit(run / "run.json", **{**new, name: ...})
        with contextlib.suppress(UserError):
            permit(run, new, stage="all", resume=True, overwrite=False)
        (run / "run.json").write_text(json.dumps(new), encoding="utf-8")


@pytest.mark.parametrize("file", ["checkpoint.pt", "last.pt"])
def test_a_key_more_or_less_in_a_checkpoint(run: Path, run_main: Command, file: str):
    """More epochs read `last.pt`, the test stage reads `checkpoint.pt`."""
    path = run / "fold0" / file
    state = load_tensors(path)
    call = ("--stage", "test", "--overwrite") if file == "checkpoint.pt" else ("--resume", "--epochs", "4")
    kept = {name: (run / name).read_bytes() for name in ("run.json", "fold0/log.csv", "fold0/checkpoint.pt")}
    for name in state:
        if name == "format":
            continue
        save_tensors(path, {key: value for key, value in state.items() if key != name})
        ended = run_main(*RUN, "--folds", "0", *call)
        assert (ended.status, ended.err.count("\n")) == (2, 1), (name, ended.err)
        assert str(path) in ended.err
        assert name in ended.err
        for other, content in kept.items():
            (run / other).write_bytes(content)
    save_tensors(path, {**state, "format": 0, "key_of_another_version": [1]})
    run_main(*RUN, "--folds", "0", *call).check()


@pytest.mark.parametrize("file", ["run.json", "fold0/checkpoint.pt", "fold0/last.pt"])
def test_a_later_format_is_refused(run: Path, run_main: Command, file: str):
    if file == "run.json":
        edit(run / file, format=VERSION + 1)
    else:
        save_tensors(run / file, {**load_tensors(run / file), "format": VERSION + 1})
    call = ("--stage", "test", "--overwrite") if file == "fold0/checkpoint.pt" else ("--resume", "--epochs", "4")
    ended = run_main(*RUN, "--folds", "0", *call)
    assert ended.status == 2
    assert f"{run / file} was written by a later version of this code" in ended.err


@pytest.mark.parametrize("name", ["metrics.json", "predictions_test.csv", "predictions_val.csv"])
@pytest.mark.parametrize("content", [b"", b"{", b"case_id"])
def test_a_file_that_was_cut_off_is_made_again(run: Path, run_main: Command, name: str, content: bytes):
    path = run / "fold1" / name
    whole = path.read_bytes()
    path.write_bytes(content)
    run_main(*RUN, "--resume").check()
    if name.endswith("json"):
        assert json.loads(path.read_bytes()).keys() == json.loads(whole).keys()
    else:
        np.testing.assert_allclose(numbers(path)[:, 1:], numbers_of(whole)[:, 1:], rtol=0, atol=1e-5)
