from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.utils.clinical.gbsg2 import write_gbsg2
from tests.utils.report.report_folders import write_run
from utils.report.__main__ import main

pytestmark = pytest.mark.slow
ASKED = ["--covariates", "age", "tgrade", "--subgroups", "menostat"]


def _words(path: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8")))


def test_the_question_is_answered_in_the_report_and_stays_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_dir, table = write_gbsg2(tmp_path, "surv")
    assert main([str(run_dir), "--clinical", str(table), *ASKED]) == 0
    written = capsys.readouterr().out.splitlines()
    assert written[0] == str(run_dir / "clinical" / "clinical.json")
    assert written[-1] == str(run_dir / "report.html")
    words = _words(run_dir / "report.html")
    for text in ("Clinical covariates", "Beyond age and tgrade, the risk has a hazard ratio of", "menostat Post"):
        assert text in words, text
    assert "Hazard ratios with 95 % intervals, both" in words
    (run_dir / "report.html").unlink()
    assert main([str(run_dir)]) == 0
    assert _words(run_dir / "report.html") == words


def test_an_answer_of_other_predictions_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_dir, table = write_gbsg2(tmp_path, "surv")
    assert main([str(run_dir), "--clinical", str(table), *ASKED]) == 0
    predictions = run_dir / "fold1" / "predictions_test.csv"
    predictions.write_text(predictions.read_text().replace("P001", "X001"))
    assert main([str(run_dir)]) == 0
    words = _words(run_dir / "report.html")
    assert "clinical.json is of other test predictions" in words
    assert "Beyond age" not in words
    (run_dir / "clinical" / "clinical.json").write_text("[]")
    assert main([str(run_dir)]) == 0
    assert "Left out: clinical/clinical.json: holds list" in _words(run_dir / "report.html")
    capsys.readouterr()


def test_of_a_results_folder_runs_of_other_cohorts_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_dir, table = write_gbsg2(tmp_path, "cls")
    other = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls", n_folds=2)
    assert main([str(tmp_path), "--clinical", str(table), *ASKED]) == 0
    said = capsys.readouterr()
    assert (run_dir / "clinical" / "clinical.json").exists()
    assert not (other / "clinical").exists()
    assert said.err.count("\n") == 1
    assert "warning: no clinical covariates: none of the 60 test cases" in said.err
    assert json.loads((run_dir / "clinical" / "clinical.json").read_text())["task"] == "cls"
    assert main([str(other.parent.parent / "BRCA" / "mico"), "--clinical", str(table), *ASKED]) == 2
    assert "none of the 60 test cases" in capsys.readouterr().err
