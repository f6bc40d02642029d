from __future__ import annotations

from pathlib import Path

import pytest

from tests.utils.report.report_folders import write_run
from utils.report.__main__ import main


def test_a_run_gets_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls")
    assert main([str(run_dir)]) == 0
    assert capsys.readouterr().out == f"{run_dir / 'report.html'}\n"
    assert (run_dir / "report.html").exists()
    assert not (tmp_path / "report.html").exists()


def test_a_results_folder_gets_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    runs = [write_run(tmp_path / "cls" / "BRCA" / name, "cls", model=name, n_folds=1) for name in ("abmil", "mico")]
    damaged = tmp_path / "cls" / "BRCA" / "damaged"
    damaged.mkdir()
    (damaged / "run.json").write_text("[]", encoding="utf-8")
    assert main([str(tmp_path)]) == 0
    written = [*(run / "report.html" for run in runs), tmp_path / "report.html"]
    said = capsys.readouterr()
    assert said.out == "".join(f"{path}\n" for path in written)
    assert said.err.startswith("warning: Not shown: cls/BRCA/damaged/run.json: holds list, expected a JSON object")
    assert said.err.count("\n") == 1
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'href="cls/BRCA/abmil/report.html"' in text
    assert "holds list, expected a JSON object" in text
    assert not (damaged / "report.html").exists()


def test_a_mistake_is_one_sentence_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls", n_folds=1)
    assert main([str(run_dir), str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"python -m utils.report: error: {tmp_path / 'none'}: holds no run.json")
    assert error.count("\n") == 1
    assert not (run_dir / "report.html").exists()


def test_a_run_that_was_named_must_be_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls", n_folds=1)
    (run_dir / "fold0" / "predictions_test.csv").write_text("x\n", encoding="utf-8")
    assert main([str(run_dir)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls", n_folds=1)
    (run_dir / "report.html").mkdir()
    assert main([str(run_dir)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"python -m utils.report: error: {run_dir / 'report.html'} cannot be written")
