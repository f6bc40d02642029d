from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from utils.errors import UserError
from utils.figures.__main__ import main
from utils.figures.run_figures import draw_figures, write_figures
from utils.runs.predictions import classification_table, survival_table, write_predictions

LOG = "epoch,train_loss,val_loss,val_f1,val_c_index,lr,seconds,best\n1,1.5,1.25,0.5,0.5,0.1,3,1\n2,1,1,,,0.1,3,1\n"


def _run(run_dir: Path, task: str, n_folds: int = 4) -> Path:
    run_dir.mkdir(parents=True)
    run = {"task": task, "dataset": "BLCA", "model": "mico", "formulation": "released"}
    (run_dir / "run.json").write_text(json.dumps(run))
    rng = np.random.default_rng(0)
    ids = [f"{index:03d}" for index in range(60)]
    slides = [[name] for name in ids]
    for fold in range(n_folds):
        if task == "cls":
            table = classification_table(ids, slides, rng.integers(0, 2, 60), rng.dirichlet([1, 1], 60))
        else:
            time, event, risk = rng.exponential(40, 60), rng.integers(0, 2, 60), rng.normal(size=60)
            table = survival_table(ids, slides, time, event, np.zeros(60), risk, rng.random((60, 4)))
        write_predictions(run_dir / f"fold{fold}" / "predictions_test.csv", table)
        (run_dir / f"fold{fold}" / "log.csv").write_text(LOG)
    return run_dir


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("cls", ["learning_curves.png", "roc.png"]),
        ("surv", ["learning_curves.png", "kaplan_meier.png", "kaplan_meier_folds.png"]),
    ],
)
def test_the_files_of_a_run(tmp_path: Path, task: str, names: list[str]):
    run_dir = _run(tmp_path / task, task)
    paths = write_figures(run_dir)
    assert paths == [run_dir / "figures" / name for name in names]
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 150_000
    assert sorted(path.name for path in (run_dir / "figures").iterdir()) == sorted(names)


def test_the_title_names_the_run(tmp_path: Path):
    figures = draw_figures(_run(tmp_path / "r", "cls", n_folds=1))
    for figure in figures.values():
        assert figure.get_suptitle().startswith("BLCA: mico (released), classification\n")


def test_what_is_not_there_is_not_drawn(tmp_path: Path):
    run_dir = _run(tmp_path / "r", "cls", n_folds=2)
    (run_dir / "fold0" / "predictions_test.csv").unlink()
    (run_dir / "fold1" / "log.csv").write_text(LOG.splitlines()[0] + "\n")  # stopped before the first epoch ended
    figures = draw_figures(run_dir)
    assert [axes.get_title() for axes in figures["learning_curves.png"].axes if axes.get_title()] == [
        "fold 0 (best epoch 2)"
    ]
    curve, _ = figures["roc.png"].axes[0].get_lines()
    assert curve.get_label().startswith("fold 1: AUC")
    (run_dir / "fold1" / "predictions_test.csv").unlink()
    assert list(draw_figures(run_dir)) == ["learning_curves.png"]
    (run_dir / "fold0" / "log.csv").unlink()
    with pytest.raises(UserError, match="nothing to draw"):
        draw_figures(run_dir)


def test_predictions_of_the_other_task_are_refused(tmp_path: Path):
    run_dir = _run(tmp_path / "r", "cls", n_folds=1)
    run = json.loads((run_dir / "run.json").read_text())
    (run_dir / "run.json").write_text(json.dumps(run | {"task": "surv"}))
    with pytest.raises(UserError, match="holds predictions of task cls, expected surv"):
        draw_figures(run_dir)


def test_the_command_draws_and_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_dir = _run(tmp_path / "r", "cls", n_folds=1)
    assert main([str(run_dir)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(run_dir / "figures" / name) for name in ("learning_curves.png", "roc.png")
    ]


def test_a_user_error_is_one_sentence_and_draws_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_dir = _run(tmp_path / "r", "cls", n_folds=1)
    assert main([str(run_dir), str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"python -m utils.figures: error: {tmp_path / 'none' / 'run.json'}: cannot be read")
    assert error.count("\n") == 1
    assert not (run_dir / "figures").exists()


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_dir = _run(tmp_path / "r", "cls", n_folds=1)
    (run_dir / "figures").touch()
    assert main([str(run_dir)]) == 2
    error = capsys.readouterr().err
    place = run_dir / "figures" / "learning_curves.png"
    assert error.startswith(f"python -m utils.figures: error: {place} cannot be written")
    assert error.count("\n") == 1
