"""The script behind the paper's tables, on small cohorts: what it writes, what it repeats, and what it says."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest

from script import reproduction

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
QUICK = "--embed_dim 8 --epochs 1 --n_bins 2"


def reproduce(place: Path, cohorts: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    small = {"MODELS": "meanpool", "ABLATIONS": "", "SWEEP": "", "N_CLUSTERS": "8", "GPU": "cpu", "NUM_WORKERS": "0"}
    small |= {"SEEDS": "2024"}
    places = {"RESULTS_DIR": str(place / "results"), "ANCHORS_DIR": str(place / "anchors"), "JOBS": "2"}
    return subprocess.run(
        ["bash", "script/reproduce_tables.sh", *arguments],
        cwd=ROOT,
        env={**os.environ, **small, **places, "COHORTS": cohorts, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_at_once_then_again_after_a_change(surv_cohort, cls_cohort, tmp_path):
    """Two cohorts and one whose features are not there; then again, with another learning rate for one of them."""
    surv = f"TOY surv {surv_cohort.features_dir} {surv_cohort.splits_dir} none coords {QUICK}"
    cls = f"BAGS cls {cls_cohort.features_dir} {cls_cohort.splits_dir} zscore coords {QUICK}"
    absent = f"GONE surv {tmp_path}/nowhere {surv_cohort.splits_dir} none coords"
    first = reproduce(tmp_path, f"{surv}\n# a remark\n{absent}\n{cls}", "--", "--no_figures")
    assert first.returncode == 1
    assert "FAILED" in first.stdout
    assert "GONE (surv), 8 anchors: run_clustering.py: error: " in first.stderr

    tables = tmp_path / "results" / "tables"
    plan = rows(tables / "plan.csv")
    assert [(row["dataset"], row["model"]) for row in plan] == [
        (cohort, model) for cohort in ("TOY", "GONE", "BAGS") for model in ("mico", "meanpool")
    ]
    for row in rows(tables / "table1_survival.csv"):
        if row["dataset"] == "TOY":
            summary = json.loads((tables / row["run_dirs"] / "summary.json").read_text())
            assert float(row["mean"]) == pytest.approx(summary["mean"]["c_index"], abs=1e-12)
    markdown = (tables / "table1_survival.md").read_text()
    assert "missing" in markdown
    assert "incomplete" in markdown
    assert "published mean" not in markdown  # no cohort of the paper
    assert "GONE" in (tables / "README.md").read_text()
    for task, cohort in (("surv", "TOY"), ("cls", "BAGS")):
        assert json.loads((tmp_path / f"anchors/{task}/{cohort}_C_8_init_fold0.json").read_text())
    assert not (tables / "anchor_sweep.png").exists()  # one number of anchors
    normed = json.loads((tmp_path / "results/cls/BAGS/meanpool_seed2024/run.json").read_text())
    assert normed["feature_norm"] == "zscore"  # the baseline sees features on the scale of MiCo's

    kept = tmp_path / "results/cls/BAGS/meanpool_seed2024/fold1/checkpoint.pt"
    changed = tmp_path / "results/surv/TOY/meanpool_seed2024/fold1/checkpoint.pt"
    before = kept.stat().st_mtime_ns, changed.stat().st_mtime_ns
    again = reproduce(tmp_path, f"{surv} --lr 0.01\n{cls}", "--", "--no_figures")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("started again") == 2
    assert "lr was 0.0002 and is 0.01" in again.stdout
    assert kept.stat().st_mtime_ns == before[0]
    assert changed.stat().st_mtime_ns != before[1]
    assert "missing" not in (tables / "table1_survival.md").read_text().split("A cell is")[0]


def test_three_seeds_by_default(surv_cohort, tmp_path):
    """Planned, though their features are not there; one seed would leave the comparisons without p values."""
    absent = f"GONE surv {tmp_path}/nowhere {surv_cohort.splits_dir} none coords"
    assert reproduce(tmp_path, absent, SEEDS="").returncode == 1
    plan = rows(tmp_path / "results" / "tables" / "plan.csv")
    assert [row["seed"] for row in plan] == [seed for seed in ("2024", "2025", "2026") for _ in range(2)]


@pytest.mark.parametrize(
    ("arguments", "word"), [(["--seeds"], "--seeds needs numbers"), (["--seed", "1"], "unknown option --seed")]
)
def test_what_the_script_does_not_know_is_named(tmp_path, arguments, word):
    ended = reproduce(tmp_path, "", *arguments)
    assert ended.returncode == 2
    assert word in ended.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--jobs", "0"], "got --jobs 0, expected 1 to 1024"),
        (["--sweep", "0"], "got anchors [0, 64]"),
        (["--models", "resnet"], "got the model 'resnet'"),
        (["--on_missing", "skip"], "got --on_missing skip, expected one of error, drop"),
        (["--notes", "nowhere.txt"], "nowhere.txt"),
        (["--", "--epoch", "3"], "unrecognized arguments: --epoch 3"),
        (["--", "--lr", "-1"], "got --lr -1.0"),
        (["--", "--folds", "0"], "got --folds among the options of main.py"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_work(tmp_path, capfd, arguments, word):
    places = ["--results_dir", str(tmp_path / "results"), "--anchors_dir", str(tmp_path / "anchors")]
    cohort = f"TOY surv {tmp_path} {tmp_path} none coords"
    try:
        status = reproduction.main(
            reproduction.get_args_parser().parse_args(["--cohorts", cohort, *places, *arguments])
        )
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    assert word in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_number_of_anchors_that_no_model_can_have_stops_before_any_work(tmp_path):
    ended = reproduce(tmp_path, "TOY surv features splits none coords", SWEEP="15")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "reproduction: error: the model cannot be built: got 15 anchors for 3 stages" in ended.stderr
    assert list(tmp_path.iterdir()) == []
