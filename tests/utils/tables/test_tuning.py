"""Runs compared by their validation cases, on folders whose metrics are worked out by hand."""

from __future__ import annotations

import csv
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import main as main_command
from tests.utils.run_folders import ALL_0, C_1, C_2_3, C_5_6, MIXED, RIGHT, cells, classification_fold, survival_fold
from utils.command.settings import as_plain
from utils.errors import UserError
from utils.runs.epoch_log import write_log
from utils.runs.predictions import write_predictions
from utils.tables.tuning import check_metric, compare_runs, find_runs, main, write_comparison
from utils.tables.tuning_text import format_tuning

PLACES = ["--features_dir", "features", "--splits_dir", "my splits", "--dataset", "toy", "--epochs", "3"]
FITTED = ["--anchors", "anchors/toy_C_64_init_fold{fold}.pt"]


def run(root: Path, name: str, tables: Sequence[Any], *options: str, task: str = "cls", **record: Any) -> Path:
    """A trained run; the validation loss of its kept epoch, the second of three, is 0.5 in each fold."""
    line = ["--task", task, *PLACES, "--stage", "train", *(options if "--anchors" in options else [*options, *FITTED])]
    settings = main_command.settings_of(main_command.get_args_parser().parse_args([*line, "--run_name", name]))
    made = {"task": task, "dataset": "toy", "model": settings.model, "formulation": "released", "run_name": name}
    made |= {"seed": settings.seed, "folds": [*range(len(tables))], "folds_of_splits": [*range(len(tables))]}
    made |= {"splits": {f"fold{k}.csv": f"sha{k}" for k in range(len(tables))}, "settings": as_plain(settings)}
    made |= {"feature_norm": "none", "model_defaults": {"dropout": 0.05}, **record}
    place = root / task / "toy" / name
    place.mkdir(parents=True)
    (place / "run.json").write_text(json.dumps(made))
    for fold, table in enumerate(tables):
        if table is not None:
            write_predictions(place / f"fold{fold}" / "predictions_val.csv", table)
            write_log(place / f"fold{fold}" / "log.csv", log(3))
    return place


def log(n_epochs: int) -> list[dict[str, Any]]:
    loss = {1: 0.9, 2: 0.5, 3: 0.6}
    rows = [{"epoch": k, "train_loss": 1.0, "val_loss": loss[k], "val_f1": 1 - loss[k]} for k in range(1, n_epochs + 1)]
    return [{**row, "val_c_index": 0.5, "best": int(row["epoch"] <= 2)} for row in rows]


def folds(*positives: Sequence[float]) -> list[Any]:
    return [classification_fold(positive) for positive in positives]


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """AUCs 1 and 1, 1 and 3/4, 3/4 and 3/4."""
    return [
        run(tmp_path, "b", folds(RIGHT, MIXED), "--lr", "2e-4"),
        run(tmp_path, "a", folds(RIGHT, RIGHT), "--lr", "5e-4"),
        run(tmp_path, "c", folds(MIXED, ALL_0), "--lr", "1e-4", "--dropout", "0.25"),
    ]


def test_the_best_by_the_main_metric(three: list[Path]):
    compared = compare_runs(three)
    assert [row["run_name"] for row in compared["runs"]] == ["a", "b", "c"]
    assert (compared["by"], compared["best"]) == ("auc", "a")
    assert compared["options"] == ["dropout", "lr"]
    assert [row["options"] for row in compared["runs"]] == [
        {"lr": 5e-4, "dropout": 0.05},
        {"lr": 2e-4, "dropout": 0.05},
        {"lr": 1e-4, "dropout": 0.25},
    ]
    _, b, c = compared["runs"]
    assert (b["mean"]["auc"], b["std"]["auc"]) == (0.875, 0.125)
    assert (b["mean"]["acc"], b["mean"]["f1"], b["mean"]["loss"]) == (0.75, 0.75, 0.5)
    assert [fold["best_epoch"] for fold in b["folds"]] == [2, 2]
    assert c["mean"]["f1"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert compared["at_the_edge"] == {"lr": (5e-4, "largest")}
    assert compared["near"] == []
    assert not any(row["tested"] for row in compared["runs"])


@pytest.mark.parametrize(("by", "order"), [("f1", "abc"), ("loss", "abc"), ("acc", "abc")])
def test_another_metric(three: list[Path], by: str, order: str):
    if by == "loss":
        write_log(three[2] / "fold0" / "log.csv", [{**row, "val_loss": row["val_loss"] - 0.1} for row in log(3)])
        order = "cab"
    assert "".join(row["run_name"] for row in compare_runs(three, by=by)["runs"]) == order


def test_survival_is_by_the_c_index(tmp_path: Path):
    tables = {"x": (C_1, C_5_6), "y": (C_2_3, C_1), "z": (C_5_6, C_5_6)}
    runs = [
        run(tmp_path, name, [survival_fold(risk, fold=k) for k, risk in enumerate(risks)], "--seed", seed, task="surv")
        for seed, (name, risks) in zip("123", tables.items(), strict=True)
    ]
    compared = compare_runs(runs)
    assert compared["by"] == "c_index"
    found = {row["run_name"]: row["mean"]["c_index"] for row in compared["runs"]}
    assert found == pytest.approx({"x": 11 / 12, "y": 5 / 6, "z": 5 / 6})
    assert [*found] == ["x", "y", "z"]
    # The standard deviation of x is 1/12, and the others are 1/12 away from it.
    assert set(compared["near"]) <= {"y", "z"}


def test_the_command_tests_the_best_run_and_no_other(three: list[Path]):
    command = compare_runs(three)["test"]
    words = shlex.split(command)
    assert words[:2] == [".venv/bin/python", "main.py"]
    settings = main_command.settings_of(main_command.get_args_parser().parse_args(words[2:]))
    assert settings.run_dir.name == "a"
    assert settings.stage == "test"
    recorded = json.loads((three[1] / "run.json").read_text())["settings"]
    assert as_plain(settings) == {**recorded, "stage": "test"}


def test_runs_without_all_folds_stand_last(three: list[Path], tmp_path: Path):
    part = run(tmp_path, "part", [*folds(RIGHT), None])
    unfinished = run(tmp_path, "unfinished", folds(RIGHT, RIGHT))
    write_log(unfinished / "fold1" / "log.csv", log(2))
    (unfinished / "fold1" / "checkpoint.pt").touch()
    compared = compare_runs([part, unfinished, *three])
    assert [row["run_name"] for row in compared["runs"]] == ["a", "b", "c", "part", "unfinished"]
    assert [row["missing_folds"] for row in compared["runs"]] == [[], [], [], [1], [1]]
    text = format_tuning(compared)
    assert "- part is not trained to its end in fold 1, and stands last\n" in text
    assert "| 1.000 (1 of 2 folds) |" in text.split("| part ")[1].split("\n")[0]


def test_nothing_is_named_where_no_run_is_whole(tmp_path: Path):
    first, second = run(tmp_path, "a", [*folds(RIGHT), None]), run(tmp_path, "b", [None, *folds(RIGHT)])
    compared = compare_runs([first, second])
    assert (compared["best"], compared["test"], compared["near"]) == (None, None, [])
    assert "No run has all folds and defines the AUC, so that none is named the best." in format_tuning(compared)


def test_what_is_read(three: list[Path]):
    """Test predictions, even damaged ones, are not looked at; that they are there is said."""
    (three[0] / "fold0" / "predictions_test.csv").write_text("nonsense")
    compared = compare_runs(three)
    assert [row["tested"] for row in compared["runs"]] == [False, True, False]
    assert "- a call that opens the test cases has been made before for b\n" in format_tuning(compared)


@pytest.mark.parametrize(
    ("stages", "tested"),
    [
        (["train"], False),
        (["train", "train"], False),
        (["train", "test", "train"], True),
        (["train", "all"], True),
        (["all", "train"], True),
        (["train", "explain"], False),
    ],
)
def test_the_record_tells_of_test_cases_that_were_opened(tmp_path: Path, stages: list[str], tested: bool):
    """More epochs remove the predictions of the test cases; `run.json` still has the call that made them."""
    first, *others = stages
    calls = [{"settings": {"stage": stage}} for stage in others]
    made = run(tmp_path, "a", folds(RIGHT, RIGHT), "--stage", first, **({"resumed": calls} if calls else {}))
    assert [row["tested"] for row in compare_runs([made])["runs"]] == [tested]


def test_the_text(three: list[Path], tmp_path: Path):
    text = format_tuning(compare_runs(three))
    header, first, *_ = cells(text)
    assert header[:4] == ["run", "dropout", "lr", "AUC"]
    assert header[-2:] == ["loss", "epochs kept"]
    assert first == ["a", "0.05", "0.0005", *["1.000 ± 0.000"] * 4, "0.500 ± 0.000", "2, 2"]
    assert "Best by the AUC of the validation cases: **a** (1.000 ± 0.000)." in text
    assert "The best of 3 is an optimistic figure" in text
    assert "lr 0.0005 of the best run is the largest that was tried: try larger ones" in text


def test_one_run_is_no_choice(three: list[Path]):
    text = format_tuning(compare_runs(three[:1]))
    assert "optimistic" not in text
    assert "Its epochs were chosen on these cases" in text


def test_files(three: list[Path]):
    place = three[0].parent
    compared = compare_runs(three)
    write_comparison(place, compared)
    assert json.loads((place / "tuning.json").read_text()) == json.loads(json.dumps(compared))
    assert (place / "tuning.md").read_text() == format_tuning(compared)
    with (place / "tuning.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["run_name"] for row in rows] == ["a", "b", "c"]
    assert (rows[1]["lr"], rows[1]["n_folds"], rows[1]["best_epochs"]) == ("0.0002", "2", "2 2")
    assert (float(rows[1]["val_auc_mean"]), float(rows[1]["val_auc_std"])) == (0.875, 0.125)


def test_runs_that_cannot_be_compared(three: list[Path], tmp_path: Path):
    other = run(tmp_path, "other", folds(RIGHT, RIGHT), splits={"fold0.csv": "sha0", "fold1.csv": "changed"})
    with pytest.raises(UserError, match=r"other and .* cannot be compared, because their fold1\.csv differ"):
        compare_runs([*three, other])
    with pytest.raises(UserError, match="got --by c_index for runs of task cls, expected one of auc, acc"):
        compare_runs(three, by="c_index")
    elsewhere = run(tmp_path, "elsewhere", folds(RIGHT, RIGHT), dataset="another")
    with pytest.raises(UserError, match=r"elsewhere is of dataset another, and .* of toy"):
        compare_runs([*three, elsewhere])
    with pytest.raises(UserError, match=r"none of 1 runs .* has a trained fold"):
        compare_runs([run(tmp_path, "empty", [None])])


def test_runs_of_two_folders_are_refused(tmp_path: Path, capsys):
    """Runs of one name could not be told apart, and the command would test the wrong one."""
    here, there = (run(tmp_path / root, "abmil", folds(*tables)) for root, tables in (("a", [MIXED]), ("b", [RIGHT])))
    assert main([str(here), str(there)]) == 2
    assert f"{there} is in another folder than {here}, expected the runs of one folder" in capsys.readouterr().err
    assert not [*tmp_path.rglob("tuning.*")]


def test_a_run_is_taken_once_by_whatever_path(three: list[Path], monkeypatch: pytest.MonkeyPatch):
    place = three[0].parent
    assert find_runs([three[0], place / ".." / place.name / "b", three[1]]) == [three[0], three[1]]
    monkeypatch.chdir(three[0])
    assert find_runs([Path(), Path("..")]) == sorted(three, key=lambda path: path.name != "b")


def undefined(table: Any) -> Any:
    """The fold with one class only, so that its AUC is undefined."""
    return table.assign(label=1)


def test_a_mean_over_fewer_folds_is_not_the_best(three: list[Path], tmp_path: Path):
    partial = run(tmp_path, "partial", [*folds(RIGHT), undefined(folds(RIGHT)[0])])
    compared = compare_runs([partial, three[0], three[2]])
    assert [row["run_name"] for row in compared["runs"]] == ["b", "c", "partial"]
    assert compared["runs"][2]["mean"]["auc"] == 1.0
    assert (compared["best"], compared["near"]) == ("b", ["c"])
    note = (
        "- the AUC is undefined in fold 1 of partial: ranked by the mean over the others, after 2 runs with all of its"
    )
    assert note in format_tuning(compared)


def test_a_metric_that_no_run_defines_in_a_fold_still_names_the_best(tmp_path: Path):
    tables = {"x": MIXED, "y": RIGHT}
    runs = [run(tmp_path, name, [*folds(own), undefined(folds(RIGHT)[0])]) for name, own in tables.items()]
    compared = compare_runs(runs)
    assert compared["best"] == "y"
    text = format_tuning(compared)
    assert "**y** (1.000 (1 of 2 folds))" in text
    assert "- the AUC is undefined in fold 1 of y and x: ranked by the mean over the others\n" in text


def test_other_features_are_an_option_in_which_runs_differ(tmp_path: Path):
    runs = [
        run(tmp_path, name, folds(RIGHT, MIXED), dim_in=dim, features={"fold0": name * 8})
        for name, dim in (("a", 8), ("b", 16))
    ]
    compared = compare_runs(runs)
    assert compared["options"] == ["features"]
    assert [row["options"]["features"] for row in compared["runs"]] == ["D = 8, aaaaaa", "D = 16, bbbbbb"]


def test_the_metric_can_be_checked_before_there_are_runs():
    assert [check_metric(None, task, []) for task in ("cls", "surv")] == ["auc", "c_index"]
    assert check_metric("loss", "surv", ["lr"]) == "loss"
    with pytest.raises(UserError, match="got --by banana for runs of task surv, expected one of c_index"):
        check_metric("banana", "surv", [])
    with pytest.raises(UserError, match="runs that differ in alpha_surv"):
        check_metric("loss", "surv", ["alpha_surv"])


def test_two_values_have_no_middle(three: list[Path]):
    assert compare_runs(three[:2])["at_the_edge"] == {}


def test_losses_of_different_scales_name_no_best(tmp_path: Path):
    tables = [survival_fold(C_1, fold=k) for k in range(2)]
    runs = [run(tmp_path, f"bins{n}", tables, "--n_bins", n, task="surv") for n in "24"]
    with pytest.raises(
        UserError, match="runs that differ in n_bins, whose losses are of different scales: give --by c_i"
    ):
        compare_runs(runs, by="loss")
    assert compare_runs(runs)["best"] == "bins2"


def test_a_folder_of_runs_and_the_command(three: list[Path], tmp_path: Path, capsys):
    place = three[0].parent
    assert find_runs([place]) == sorted(three)
    assert find_runs([three[0], place]) == [three[0], *(path for path in sorted(three) if path != three[0])]
    assert main([str(place)]) == 0
    written = f"\nwrote {place / 'tuning'}.md, .csv and .json\n"
    assert capsys.readouterr().out == (place / "tuning.md").read_text() + written
    ended = subprocess.run([sys.executable, "-m", "utils.tables.tuning", str(place)], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (place / "tuning.md").read_text() + written
    assert main([str(three[0]), str(three[2]), "--by", "acc"]) == 0
    assert json.loads((place / "tuning.json").read_text())["best"] == "b"
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "found no run in" in capsys.readouterr().err
