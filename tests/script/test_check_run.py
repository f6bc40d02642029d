"""What main.py would refuse is said before its anchors are there, in its words; a call that is well says nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort
from script.check_run import main

SMALL = {"n_folds": 2, "dim": 4, "patches_per_slide": (10, 12)}


@pytest.fixture(scope="module")
def cls_cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("cls"), CohortSettings(task="cls", n_cases=16, **SMALL))


@pytest.fixture(scope="module")
def surv_cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("surv"), CohortSettings(task="surv", n_cases=16, n_bins=2, **SMALL))


def call(cohort: Cohort, results: Path, *more: object) -> list[str]:
    """A call of main.py; the anchors do not exist, and options that stand twice count as the last one says."""
    places = ["--features_dir", cohort.features_dir, "--splits_dir", cohort.splits_dir, "--results_dir", results]
    line = ["--task", "cls", "--dataset", "toy", "--anchors", "anchors/T_init_fold{fold}.pt", "--n_clusters", "8"]
    return [str(word) for word in (*line, *places, "--embed_dim", "8", "--device", "cpu", *more)]


def ended(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    try:
        status: object = main(arguments)
    except SystemExit as stopped:
        status = stopped.code
    captured = capsys.readouterr()
    assert captured.out == ""
    return status, captured.err


@pytest.mark.parametrize(
    "more",
    [(), ("--unit", "patient"), ("--model", "abmil", "--n_clusters", "15"), ("--stage", "explain", "--mpp", "0.5")],
)
def test_a_call_that_is_well_says_nothing(cls_cohort, tmp_path, more, capsys):
    assert ended(call(cls_cohort, tmp_path / "r", *more), capsys) == (0, "")
    assert not (tmp_path / "r").exists()


def test_survival(surv_cohort, cls_cohort, tmp_path, capsys):
    assert ended(call(surv_cohort, tmp_path, "--task", "surv", "--n_bins", "2"), capsys) == (0, "")
    status, said = ended(call(cls_cohort, tmp_path, "--task", "surv"), capsys)
    assert status == 2
    assert "fold0.csv lacks the columns train_survival_months" in said


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("--n_clusters 15", "the model cannot be built: got 15 anchors for 3 stages"),
        ("--model transmil --embed_dim 9", "the model cannot be built: got embed_dim 9"),
        ("--formulation x", "got --formulation x, expected one of released, paper"),
        ("--epochs abc", "argument --epochs: invalid int value: 'abc'"),
        ("--epochs 0", "got --epochs 0, expected 1 to 1000000000"),
        ("--monitor val_c_index", "got --monitor val_c_index with --task cls"),
        ("--folds 7", "got --folds 7, expected a file"),
        ("--features_dir nowhere", "the feature directory nowhere does not exist"),
        ("--anchors anchors/T_slides --ablate anchors", "got --ablate anchors with slide anchors"),
        ("--device cuda:99", "got --device cuda:99"),
        ("--stage explain --geojson x", "got --geojson x, expected one of patches, regions"),
        ("--stage explain --explain_slides x", "got --explain_slides x, which none of the folds tests"),
        ("--stage explain --slides_dir nowhere", "got --slides_dir nowhere, expected a directory of slide images"),
        ("--run_dir nowhere --cohort c", "unrecognized arguments: --task cls"),
    ],
)
def test_what_is_refused(cls_cohort, tmp_path, more, words, capsys):
    status, said = ended(call(cls_cohort, tmp_path / "r", *more.split()), capsys)
    assert status == 2
    assert said.startswith("main.py")
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_the_folds_are_those_of_the_unit_and_of_the_features(cls_cohort, tmp_path, capsys):
    """A patient with slides of two classes, then a slide without features."""
    with (cls_cohort.splits_dir / "fold0.csv").open() as file:
        rows = list(csv.DictReader(file))
    first, other = rows[0], next(row for row in rows if row["train_label"] != rows[0]["train_label"])
    other["train_case_id"] = first["train_case_id"]
    with (tmp_path / "fold0.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    line = call(cls_cohort, tmp_path / "r", "--splits_dir", tmp_path)
    assert ended(line, capsys) == (0, "")
    status, said = ended([*line, "--unit", "patient"], capsys)
    assert status == 2
    assert "1 of 15 patients has slides of different classes" in said

    text = (tmp_path / "fold0.csv").read_text()
    (tmp_path / "fold0.csv").write_text(text.replace(rows[0]["test_slide_id"], "unknown"))
    status, said = ended(line, capsys)
    assert status == 2
    assert "1 of 16 slides of" in said
    assert ended([*line, "--on_missing", "drop"], capsys)[0] == 0


def test_results_that_are_there(cls_cohort, tmp_path, capsys):
    (tmp_path / "cls/toy/mico_released/fold0").mkdir(parents=True)
    line = call(cls_cohort, tmp_path)
    status, said = ended(line, capsys)
    assert status == 2
    assert "already holds fold0 (begun): pass --resume" in said
    assert [ended([*line, way], capsys) for way in ("--resume", "--overwrite")] == [(0, "")] * 2
    assert (tmp_path / "cls/toy/mico_released/fold0").is_dir()


def test_a_call_that_explains_another_cohort(capsys):
    line = ["--stage", "explain", "--run_dir", "nowhere", "--features_dir", "f", "--cohort", "c"]
    assert ended(line, capsys) == (0, "")
    status, said = ended([*line, "--explain_cases", "-1"], capsys)
    assert (status, said) == (2, "main.py: error: got --explain_cases -1, expected 0 to 1000000000\n")
