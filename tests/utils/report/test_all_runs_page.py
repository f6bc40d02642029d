from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.utils.report.page_reader import PageReader
from tests.utils.report.report_folders import write_run
from tests.utils.run_folders import C_1, Plan, survival_folds
from utils.errors import UserError
from utils.files.text_table import format_p, starred_p
from utils.report.__main__ import write_reports
from utils.report.all_runs_page import write_all_runs_report
from utils.report.run_page import write_run_report
from utils.report.sections import run_charts
from utils.runs.predictions import read_predictions
from utils.runs.run_dir import fold_files
from utils.statistics.holm import holm
from utils.statistics.paired_difference import paired_difference
from utils.statistics.risk_groups import SHARED_TRAINING
from utils.tables.interval_text import INTERVAL_METHOD
from utils.tables.risk_groups_text import hazard_ratio_text
from utils.tables.summary import summarise

N_RESAMPLES = 60


def read(root: Path) -> PageReader:
    return PageReader(write_all_runs_report(root, n_resamples=N_RESAMPLES).read_text(encoding="utf-8"))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two cohorts of survival and one of classification."""
    for task, dataset in (("surv", "LUAD"), ("surv", "BLCA"), ("cls", "BRCA")):
        for noise, model in enumerate(("mico", "abmil", "meanpool")):
            write_run(tmp_path / task / dataset / model, task, model=model, noise=noise)
    return tmp_path


def test_the_overview_has_a_row_per_run_with_the_numbers_of_its_summary(results: Path):
    page = read(results)
    rows = page.rows("Survival runs")
    assert [(row["data set"], row["run"]) for row in rows] == [
        (dataset, model) for dataset in ("BLCA", "LUAD") for model in ("abmil", "meanpool", "mico")
    ]
    summary = summarise(results / "surv" / "LUAD" / "abmil")
    assert rows[3]["C-index"] == f"{summary['mean']['c_index']:.3f} ± {summary['std']['c_index']:.3f}"
    assert rows[3]["folds"] == "2 of 2"
    assert rows[3]["log-rank p, folds pooled"] == starred_p(summary["pooled"]["logrank_p"])
    stratified = summary["risk_groups"]["stratified"]
    assert rows[3]["hazard ratio of the risk halves (95 % interval)"] == hazard_ratio_text(stratified)
    assert {*INTERVAL_METHOD.values()} <= {*page.text.splitlines()}
    assert "log-rank p, folds pooled: one log-rank test over the test cases of all folds" in page.text
    lines = page.text.splitlines()
    of_pooled = next(i for i, line in enumerate(lines) if line.startswith("log-rank p, folds pooled: "))
    assert lines[of_pooled + 1] == SHARED_TRAINING  # beside the intervals of hazard ratios and the pooled p
    (mico,) = [row for row in page.rows("Classification runs") if row["run"] == "mico"]
    assert "log-rank p, folds pooled" not in mico
    summary = summarise(results / "cls" / "BRCA" / "mico")
    assert {mico[name] for name in ("AUC", "ACC", "macro F1")} == {
        f"{summary['mean'][name]:.3f} ± {summary['std'][name]:.3f}" for name in ("auc", "acc", "f1")
    }
    assert "9 runs with results in 3 cohorts; 0 runs without test predictions, 0 damaged runs." in page.text


def test_the_part_of_a_run_has_its_risk_groups_and_calibration(tmp_path: Path):
    write_run(tmp_path / "surv" / "LUAD" / "mico", "surv")
    write_run(tmp_path / "cls" / "BRCA" / "mico", "cls")
    page = read(tmp_path)
    groups = page.rows("Risk groups: high against low half")
    assert [row["fold"] for row in groups] == ["0", "1", "stratified by fold", "released: pooled, not stratified"]
    assert len(page.rows("Calibration of the predicted survival")) == 3
    assert len(page.rows("Precision and calibration of the probabilities")) == 3
    assert len(page.rows("Two classes at a threshold")) == 3
    assert "C-index over the pairs of all folds" in page.text


def test_a_run_without_a_hazard_ratio_says_why(tmp_path: Path):
    Plan(tmp_path / "surv" / "LUAD").add("surv", "LUAD", survival_folds(C_1, C_1))
    page = read(tmp_path)
    (row,) = page.rows("Survival runs")
    assert row["hazard ratio of the risk halves (95 % interval)"] == "–"
    assert ": hazard ratio undefined: infinite: while both groups are at risk, only high-risk cases die." in page.text


def test_differences_are_paired_and_corrected_over_all_cohorts_of_a_task(tmp_path: Path):
    """Two seeds of each model; another model has one seed only, and no p therefore."""

    def tables(dataset: str, model: str) -> dict:
        return {
            (seed, fold): read_predictions(path)
            for seed in (1, 2)
            for fold, path in fold_files(
                tmp_path / "surv" / dataset / f"{model}_seed{seed}", "predictions_test.csv"
            ).items()
        }

    for dataset in ("BLCA", "LUAD"):
        for number, model in enumerate(("mico", "abmil", "meanpool")):
            for seed in (1, 2):
                place = tmp_path / "surv" / dataset / f"{model}_seed{seed}"
                write_run(place, "surv", model=model, noise=3 * number + seed, seed=seed)
        write_run(tmp_path / "surv" / dataset / "dsmil_seed1", "surv", model="dsmil", noise=4, seed=1)
    expected = {
        (dataset, model): paired_difference(tables(dataset, "mico"), tables(dataset, model), "c_index")
        for dataset in ("BLCA", "LUAD")
        for model in ("abmil", "meanpool")
    }
    adjusted = dict(zip(expected, holm([one.p for one in expected.values()]), strict=True))
    page = read(tmp_path)
    captions = [name for name in page.tables if name.startswith("C-index of mico (seeds 1 and 2) minus")]
    assert len(captions) == 1  # of two tables: BLCA, then LUAD
    shown = {row["against"]: row for row in page.rows(captions[0])}  # the last table of this caption: LUAD
    for model in ("abmil", "meanpool"):
        one, row = expected["LUAD", model], shown[f"{model} (seeds 1 and 2)"]
        assert row["difference"] == f"{one.difference:+.3f}"
        assert row["by seed"] == f"{min(one.by_seed.values()):+.3f} to {max(one.by_seed.values()):+.3f}"
        assert row["95 % interval"] == f"{one.low:+.3f} to {one.high:+.3f}"
        assert float(row["p (Holm)"].replace("<", "")) == pytest.approx(adjusted["LUAD", model], abs=1e-3)
        assert row["based on"] == "2 folds, 2 seeds, 60 patients"
    alone = shown["dsmil_seed1"]
    assert (alone["by seed"], alone["p"], alone["p (Holm)"]) == ("–", "–", "–")
    assert alone["based on"].startswith("2 folds, 1 seed, 60 patients; seed 1 only; one seed: how much another")
    assert "on this page that have a p (4 over all data sets)." in page.text


def test_runs_of_other_splits_are_not_compared(results: Path):
    splits = {"fold0.csv": "sha-0", "fold1.csv": "other"}
    write_run(results / "surv" / "LUAD" / "elsewhere", "surv", model="dsmil", splits=splits)
    page = read(results)
    assert "surv/LUAD/elsewhere: not comparable: other splits (fold1.csv differs)." in page.text
    assert "Left out: elsewhere (other splits)." in page.text
    (row,) = [row for row in page.rows("C-index of mico minus") if row["against"] == "elsewhere"]
    assert row["difference"] == "–"
    assert row["based on"] == "not comparable: other splits (fold1.csv differs)"


def test_unfinished_and_damaged_runs_are_said(results: Path):
    for path in (results / "surv" / "LUAD" / "abmil").glob("fold*/predictions_test.csv"):
        path.unlink()
    (results / "surv" / "BLCA" / "abmil" / "run.json").write_text("{", encoding="utf-8")
    (results / "cls" / "BRCA" / "mico" / "fold0" / "predictions_test.csv").write_text("x", encoding="utf-8")
    page = read(results)
    assert "6 runs with results in 3 cohorts; 1 run without test predictions, 2 damaged runs." in page.text
    assert "Not shown: surv/BLCA/abmil/run.json: is no JSON text" in page.text
    assert "Not shown: cls/BRCA/mico/fold0/predictions_test.csv: " in page.text
    assert "surv/LUAD/abmil" in page.text.splitlines()
    assert "No run of MiCo is here to compare the others with." in page.text
    assert str(results) not in (results / "report.html").read_text(encoding="utf-8")


def test_warnings_of_all_runs_stand_together(results: Path):
    write_run(
        results / "surv" / "LUAD" / "other",
        "surv",
        model="dsmil",
        warnings=["one patient in two parts"],
        folds=[0, 1, 2],
    )
    page = read(results)
    assert "surv/LUAD/other: one patient in two parts" in page.text
    assert "surv/LUAD/other: Fold 2 is missing: it has no test predictions yet." in page.text
    (row,) = [row for row in page.rows("Survival runs") if row["run"] == "other"]
    assert (row["warnings"], row["folds"]) == ("2", "2 of 3")


def test_reports_of_runs_are_linked_where_they_are(results: Path):
    write_run(results / "cls" / "BRCA" / "a b#c", "cls", model="dsmil")
    write_run_report(results / "cls" / "BRCA" / "a b#c", n_resamples=N_RESAMPLES)
    links = [link for link in read(results).links if not link.startswith("#")]
    assert links == ["cls/BRCA/a%20b%23c/report.html"]


def test_there_are_no_pictures(results: Path):
    assert read(results).pictures == []


def test_a_folder_without_runs_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"holds no run\.json and no TASK/DATASET/RUN_NAME/run\.json"):
        write_all_runs_report(tmp_path)


def test_runs_that_differ_by_their_seed_only_stand_together(tmp_path: Path):
    """The mean over folds of the mean over seeds, in the overview, in the forest and against MiCo of the same seeds."""
    for noise, seed in ((0, 1), (2, 2)):
        write_run(tmp_path / "surv" / "LUAD" / f"mico_released_seed{seed}", "surv", seed=seed, noise=noise)
    for noise, seed in ((4, 1), (6, 2)):
        name = f"abmil_seed{seed}"
        write_run(tmp_path / "surv" / "LUAD" / name, "surv", model="abmil", seed=seed, noise=noise)
    page = read(tmp_path)
    rows = page.rows("Survival runs")
    assert [(row["run"], row["seeds"], row["folds"]) for row in rows] == [
        ("abmil (seeds 1 and 2)", "2", "4 of 4"),
        ("mico_released (seeds 1 and 2)", "2", "4 of 4"),
    ]
    summaries = [summarise(tmp_path / "surv" / "LUAD" / f"mico_released_seed{seed}") for seed in (1, 2)]
    per_fold = np.mean([[fold["c_index"] for fold in summary["folds"]] for summary in summaries], axis=0)
    assert rows[1]["C-index"] == f"{per_fold.mean():.3f} ± {per_fold.std():.3f}"
    low, high = map(float, rows[1]["C-index, 95 % interval"].split(" to "))
    assert low < per_fold.mean() < high
    p = sorted(summary["pooled"]["logrank_p"] for summary in summaries)
    assert rows[1]["log-rank p, folds pooled"].startswith(format_p(float(np.mean(p))))
    ratios = sorted(summary["risk_groups"]["stratified"]["hazard_ratio"] for summary in summaries)
    shown = rows[1]["hazard ratio of the risk halves (95 % interval)"]
    assert shown.startswith(f"{np.mean(ratios):.2f} (")
    assert shown.endswith(f"); 2 seeds, {ratios[0]:.2f} to {ratios[1]:.2f}")
    (against,) = page.rows("C-index of mico_released (seeds 1 and 2) minus")
    assert against["against"] == "abmil (seeds 1 and 2)"
    assert against["based on"] == "2 folds, 2 seeds, 60 patients"
    single = [row["run"] for row in page.rows("The runs of each seed")]  # of the last pool on the page
    assert single == ["mico_released_seed1", "mico_released_seed2"]
    assert {"mico_released_seed1", "abmil_seed2"} <= {text.split(":")[0] for text in page.text.splitlines()}


def test_what_differs_between_runs_is_shown_with_validation_beside_test(tmp_path: Path):
    shared = {"epochs": 200, "n_clusters": 64}
    for name, lr, model in (("a", 1e-3, "mico"), ("b", 2e-4, "mico"), ("c", 2e-4, "abmil")):
        settings = shared | {"lr": lr, "results_dir": name} | ({} if model == "mico" else {"n_clusters": 8})
        write_run(tmp_path / "cls" / "BRCA" / name, "cls", model=model, settings=settings, noise=len(name))
    rows = read(tmp_path).rows("What differs between the runs")
    assert [(row["run"], row["model"], row["lr"]) for row in rows] == [
        ("a", "mico (released)", "0.001"),
        ("b", "mico (released)", "0.0002"),
        ("c", "abmil", "0.0002"),
    ]
    assert list(rows[0]) == ["run", "model", "lr", "validation AUC", "AUC"]  # n_clusters says nothing of abmil
    files = fold_files(tmp_path / "cls" / "BRCA" / "a", "predictions_val.csv")
    tables = [read_predictions(path) for path in files.values()]
    auc = [roc_auc_score(table["label"], table["prob_1"]) for table in tables]
    assert rows[0]["validation AUC"] == f"{np.mean(auc):.3f} ± {np.std(auc):.3f}"


def test_features_of_two_encoders_are_told_apart(tmp_path: Path):
    for name, dim, digest in (("uni", 1024, "aaaaaaaa"), ("conch", 512, "bbbbbbbb"), ("uni_2", 1024, "aaaaaaaa")):
        features = {"dim_in": dim, "features": {f"fold{k}": digest for k in range(2)}}
        write_run(tmp_path / "cls" / "BRCA" / name, "cls", model="abmil", **features)
    rows = read(tmp_path).rows("What differs between the runs")
    found = {row["run"]: row["features"] for row in rows}
    assert found == {"uni": "D = 1024, aaaaaa", "uni_2": "D = 1024, aaaaaa", "conch": "D = 512, bbbbbb"}
    assert list(rows[0]) == ["run", "model", "features", "validation AUC", "AUC"]


def test_runs_that_are_not_tested_are_compared_by_their_validation_cases(tmp_path: Path):
    """As a search for options leaves them: trained, the test cases closed; then the chosen one is tested."""
    for name, lr in (("tune_lr_1e-3", 1e-3), ("tune_lr_2e-4", 2e-4)):
        run_dir = write_run(tmp_path / "cls" / "BRCA" / name, "cls", settings={"lr": lr})
        for path in run_dir.glob("fold*/predictions_test.csv"):
            path.rename(path.with_suffix(".closed"))
    page = read(tmp_path)
    rows = page.rows("What differs between the runs of BRCA, classification")
    assert [list(row) for row in rows] == [["run", "model", "lr", "validation AUC"]] * 2
    assert [row["lr"] for row in rows] == ["0.001", "0.0002"]
    for path in (tmp_path / "cls" / "BRCA" / "tune_lr_1e-3").glob("fold*/*.closed"):
        path.rename(path.with_suffix(".csv"))
    rows = read(tmp_path).rows("What differs between the runs")
    assert [row["AUC"] == "–" for row in rows] == [False, True]


def test_a_warning_of_many_runs_is_said_once_with_their_number(tmp_path: Path):
    texts = [f"3 patients are in two parts of splits/fold{fold}.csv" for fold in (0, 2)]
    for name in ("a", "b", "c", "d", "e"):
        write_run(tmp_path / "surv" / "LUAD" / name, "surv", warnings=texts, noise=1)
    text = read(tmp_path).text
    assert text.count("patients are in two parts") == 1
    assert (
        "3 patients are in two parts of splits/fold*.csv (folds 0 and 2) "
        "(5 runs: surv/LUAD/a, surv/LUAD/b, surv/LUAD/c and 2 more)" in text
    )


@pytest.mark.parametrize(("task", "chart"), [("cls", "roc_charts"), ("surv", "survival_charts")])
def test_the_charts_of_a_run_are_drawn_once_for_both_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, chart: str
):
    write_run(tmp_path / task / "COHORT" / "mico_released", task)
    drawn, draw = [], getattr(run_charts, chart)
    monkeypatch.setattr(run_charts, chart, lambda *args, **options: drawn.append(1) or draw(*args, **options))
    write_reports([tmp_path])
    assert len(drawn) == 1
