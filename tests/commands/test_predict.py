"""main.py --stage predict: a trained run on another cohort, against numbers that are computed here in another way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score, roc_auc_score
from sksurv.compare import compare_survival
from sksurv.metrics import concordance_index_censored
from sksurv.util import Surv

from datasets.slides.features import find_slides, read_slide, write_slide
from datasets.synthetic.cohort import Cohort
from tests.commands.conftest import Ended, cls_arguments, files_in, surv_arguments
from utils.errors import UserError
from utils.pipeline import export, load_ensemble
from utils.pipeline import partial_logits as partial_module
from utils.pipeline.models import load_model
from utils.runs.predictions import read_predictions
from utils.statistics.calibration_metrics import Threshold

pytestmark = pytest.mark.slow

Run = Callable[..., Path]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Folders of trained runs, by name; trained where a test first asks."""
    return {}


@pytest.fixture
def trained(runs, tmp_path_factory, surv_cohort, cls_cohort, run_main) -> Run:
    def run(task: str, *more: str) -> Path:
        key = " ".join((task, *more))
        if key not in runs:
            results = tmp_path_factory.mktemp("runs")
            arguments = surv_arguments if task == "surv" else cls_arguments
            run_main(*arguments(surv_cohort if task == "surv" else cls_cohort, results, *more)).check()
            (runs[key],) = (path.parent for path in results.rglob("run.json"))
        return runs[key]

    return run


@pytest.fixture
def predict(run_main, tmp_path) -> Callable[..., tuple[Path, Ended]]:
    """Predict with a copy of a run, so that tests stay apart: (the folder of the cohort, how the command ended)."""

    def call(run_dir: Path, features_dir: Path, *more: str | Path) -> tuple[Path, Ended]:
        own = tmp_path / "run"
        if not own.exists():
            shutil.copytree(run_dir, own)
        arguments = ["--features_dir", features_dir, "--cohort", "there", "--device", "cpu", *more]
        return own / "predict" / "there", run_main("--stage", "predict", "--run_dir", own, *arguments)

    return call


def labels_of(cohort: Cohort) -> Path:
    return cohort.features_dir.parent / "labels.csv"


def test_survival_by_hand(trained, predict, other_surv_cohort):
    """Every number of the ensemble, from the checkpoints and the feature files alone."""
    run_dir = trained("surv")
    folder, ended = predict(run_dir, other_surv_cohort.features_dir, "--labels", labels_of(other_surv_cohort))
    ended.check()
    table = pd.read_csv(folder / "predictions.csv").set_index("case_id")
    known = {case.case_id: case for case in other_surv_cohort.cases}
    assert set(table.index) == set(known)
    models = [load_model(run_dir / f"fold{k}" / "checkpoint.pt")[0] for k in (0, 1)]
    for case_id, case in known.items():
        slides = [read_slide(other_surv_cohort.features_dir / f"{name}.h5").features for name in case.slide_ids]
        index = torch.cat([torch.full((len(slide),), i) for i, slide in enumerate(slides)])
        batch = torch.cat(slides), index, torch.zeros(len(slides), dtype=torch.long)
        with torch.no_grad():
            hazards = [torch.sigmoid(model(*batch).logits.double())[0].numpy() for model in models]
        curves = np.mean([[1 - h[0], (1 - h[0]) * (1 - h[1])] for h in hazards], axis=0)
        row = table.loc[case_id]
        assert row["risk"] == pytest.approx(-curves.sum(), abs=1e-6)
        assert row["hazard_0"] == pytest.approx(1 - curves[0], abs=1e-6)
        assert row["hazard_1"] == pytest.approx(1 - curves[1] / curves[0], abs=1e-6)
        assert (row["time"], row["event"]) == (pytest.approx(case.time), 1 - case.censored)

    ensemble = json.loads((folder / "metrics.json").read_text())["ensemble"]
    died, time = table["event"].to_numpy() == 1, table["time"].to_numpy()
    assert ensemble["c_index"] == pytest.approx(concordance_index_censored(died, time, table["risk"])[0])
    medians = [np.median(pd.read_csv(run_dir / f"fold{k}" / "predictions_train.csv")["risk"]) for k in (0, 1)]
    assert ensemble["cut_off"] == pytest.approx(np.mean(medians))
    high = table["risk"].to_numpy() >= np.mean(medians)
    assert ensemble["n_high"] == high.sum()
    if high.all() or not high.any():
        assert ensemble["logrank_p"] is None
    else:
        expected = compare_survival(Surv.from_arrays(died, time), high)[1]
        assert ensemble["logrank_p"] == pytest.approx(expected)
    for k in (0, 1):
        one = pd.read_csv(folder / f"predictions_fold{k}.csv")
        by_fold = json.loads((folder / "metrics.json").read_text())["folds"][k]
        c_index = concordance_index_censored(one["event"] == 1, one["time"], one["risk"])[0]
        assert by_fold["c_index"] == pytest.approx(c_index)


def test_classification_by_hand(trained, predict, other_cls_cohort):
    run_dir = trained("cls", "--model", "abmil")
    folder, ended = predict(run_dir, other_cls_cohort.features_dir, "--labels", labels_of(other_cls_cohort))
    ended.check()
    table = pd.read_csv(folder / "predictions.csv")
    folds = [pd.read_csv(folder / f"predictions_fold{k}.csv") for k in (0, 1)]
    np.testing.assert_allclose(table["prob_1"], np.mean([fold["prob_1"] for fold in folds], axis=0), rtol=1e-12)
    np.testing.assert_array_equal(table["prediction"], (table["prob_1"] > table["prob_0"]).astype(int))
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["ensemble"]["auc"] == pytest.approx(roc_auc_score(table["label"], table["prob_1"]))
    assert summary["ensemble"]["acc"] == pytest.approx(accuracy_score(table["label"], table["prediction"]))
    patients = table.groupby("case_id")[["label", "prob_1"]].mean()
    assert summary["by_patient"]["n_test"] == len(patients) < len(table)
    assert summary["by_patient"]["auc"] == pytest.approx(roc_auc_score(patients["label"], patients["prob_1"]))
    thresholds = json.loads((folder / "predict.json").read_text())["thresholds"] or {}
    for k, fold in enumerate(folds):
        chosen = Threshold.of(read_predictions(run_dir / f"fold{k}" / "predictions_val.csv"))
        assert thresholds.get(f"fold{k}") == chosen.value == summary["folds"][k]["threshold"]
        if chosen.value is not None:
            assert summary["folds"][k]["sensitivity"] == np.mean(fold["prob_1"][fold["label"] == 1] >= chosen.value)
    if thresholds:
        known = [value for name, value in thresholds.items() if name != "ensemble"]
        assert thresholds["ensemble"] == summary["ensemble"]["threshold"] == pytest.approx(np.mean(known))
    assert summary["ensemble"]["brier"] == pytest.approx(np.mean((table["prob_1"] - table["label"]) ** 2))
    low, high = (summary["ensemble"]["intervals"]["auc"][end] for end in ("low", "high"))
    assert low <= summary["ensemble"]["auc"] <= high
    assert (folder / "summary.md").read_text().strip() in ended.out


def test_the_files_that_are_written(trained, predict, other_surv_cohort):
    folder, ended = predict(trained("surv"), other_surv_cohort.features_dir, "--labels", labels_of(other_surv_cohort))
    ended.check()
    tables = ["metrics.json", "report.html", "summary.csv", "summary.json", "summary.md"]
    predictions = ["predict.json", "predictions.csv", "predictions_fold0.csv", "predictions_fold1.csv"]
    figures = [name for name in files_in(folder) if name.startswith("figures/")]
    assert files_in(folder) == sorted([*tables, *predictions, *figures])
    page = (folder / "report.html").read_text()
    assert "External validation of a survival run" in page
    assert "cut-off of the training cases" in page


def test_a_fold_on_its_own_test_cases_gives_its_test_predictions(trained, predict, surv_cohort, cls_cohort, tmp_path):
    for task, cohort in (("surv", surv_cohort), ("cls", cls_cohort)):
        run_dir = trained(task)
        tested = pd.read_csv(run_dir / "fold1" / "predictions_test.csv")
        features = tmp_path / task
        for name in ";".join(tested["slide_ids"]).split(";"):
            features.mkdir(exist_ok=True)
            shutil.copy(cohort.features_dir / f"{name}.h5", features)
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        folder, ended = predict(
            run_dir, features, "--folds", "1", "--labels", labels_of(cohort), "--on_missing", "drop"
        )
        ended.check()
        again = pd.read_csv(folder / "predictions_fold1.csv").set_index("slide_ids").loc[tested["slide_ids"]]
        outputs = [name for name in tested if name.startswith(("prob_", "hazard_"))]
        np.testing.assert_allclose(again[outputs], tested[outputs], atol=1e-6)
        if task == "surv":
            assert again["bin"].tolist() == tested["bin"].tolist()


def test_without_labels_outcomes_are_empty_and_nothing_is_evaluated(trained, predict, other_cls_cohort):
    folder, ended = predict(trained("cls"), other_cls_cohort.features_dir)
    ended.check()
    assert files_in(folder) == ["predict.json", "predictions.csv", "predictions_fold0.csv", "predictions_fold1.csv"]
    table = pd.read_csv(folder / "predictions.csv")
    assert len(table) == len(find_slides([other_cls_cohort.features_dir]))
    assert table["label"].isna().all()
    assert table["prob_1"].notna().all()
    assert "every slide counts as a patient of its own" in ended.out


def test_slides_without_a_label_are_predicted_and_not_evaluated(trained, predict, other_cls_cohort, tmp_path):
    labels = pd.read_csv(labels_of(other_cls_cohort))
    labels.loc[:2, "label"] = np.nan
    labels.astype({"label": "Int64"}).to_csv(tmp_path / "some.csv", index=False)
    folder, ended = predict(trained("cls"), other_cls_cohort.features_dir, "--labels", tmp_path / "some.csv")
    ended.check()
    table = pd.read_csv(folder / "predictions.csv")
    assert (len(table), table["label"].isna().sum()) == (len(labels), 3)
    known = table.dropna()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["ensemble"]["n_test"] == len(known) == len(labels) - 3
    assert summary["ensemble"]["auc"] == pytest.approx(roc_auc_score(known["label"], known["prob_1"]))
    assert "3 slides without an outcome are predicted, but not evaluated" in ended.out


def test_an_exported_model_predicts_the_same_and_names_nobody(trained, predict, other_surv_cohort, run_main, tmp_path):
    run_dir = trained("surv", "--anchors", "random", "--feature_norm", "zscore")
    folder, ended = predict(run_dir, other_surv_cohort.features_dir, "--labels", labels_of(other_surv_cohort))
    ended.check()
    assert export.main([str(run_dir), str(tmp_path / "out"), "--encoder", "made up"]) == 0
    assert files_in(tmp_path / "out") == [
        "MODEL_CARD.md",
        "fold0.safetensors",
        "fold1.safetensors",
        "model.json",
        "trained_on.json",
    ]
    text = "".join((tmp_path / "out" / name).read_text() for name in ("MODEL_CARD.md", "model.json", "trained_on.json"))
    assert "SYN-" not in text
    assert str(run_dir) not in text
    there = ["--features_dir", other_surv_cohort.features_dir, "--cohort", "there", "--no_figures"]
    more = ["--labels", labels_of(other_surv_cohort), "--device", "cpu"]
    run_main("--stage", "predict", "--run_dir", tmp_path / "out", *there, *more).check()
    exported = tmp_path / "out" / "predict" / "there"
    for name in ("predictions.csv", "predictions_fold0.csv", "predictions_fold1.csv", "metrics.json", "summary.csv"):
        assert (exported / name).read_bytes() == (folder / name).read_bytes(), name
    overlap = run_main(
        "--stage", "predict", "--run_dir", tmp_path / "out", "--features_dir", run_features(run_dir), "--cohort", "own"
    )
    assert overlap.status == 2
    assert "patients or slides of the cohort were in training" in overlap.err


def run_features(run_dir: Path) -> Path:
    return Path(json.loads((run_dir / "run.json").read_text())["settings"]["features_dir"][0])


def test_an_ensemble_in_python(trained, predict, other_cls_cohort):
    run_dir = trained("cls")
    folder, ended = predict(run_dir, other_cls_cohort.features_dir)
    ended.check()
    table = pd.read_csv(folder / "predictions.csv").set_index("slide_ids")
    ensemble = load_ensemble(run_dir)
    for slide_id, path in list(find_slides([other_cls_cohort.features_dir]).items())[:3]:
        probabilities = ensemble([read_slide(path).features])
        np.testing.assert_allclose(probabilities, table.loc[slide_id, ["prob_0", "prob_1"]].astype(float), atol=1e-6)


def test_an_interrupted_prediction_goes_on(trained, predict, other_cls_cohort, monkeypatch):
    """What is kept is not computed again, and the files are those of a call that was not interrupted."""
    run_dir, features = trained("cls"), other_cls_cohort.features_dir
    whole, ended = predict(run_dir, features, "--labels", labels_of(other_cls_cohort), "--no_figures")
    ended.check()
    expected = {name: (whole / name).read_bytes() for name in files_in(whole) if name != "predict.json"}
    add, seen = partial_module.PartialLogits.add, []

    def stopping(self, key, logits):
        add(self, key, logits)
        seen.append(key)
        if len(seen) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(partial_module.PartialLogits, "add", stopping)
    folder, ended = predict(run_dir, features, "--labels", labels_of(other_cls_cohort), "--no_figures", "--overwrite")
    assert ended.status == 130
    assert "with --resume instead of --overwrite goes on where it stopped" in ended.err
    assert files_in(folder) == ["partial.pt"]
    folder, ended = predict(run_dir, features, "--no_figures")
    assert ended.status == 2
    assert "holds an unfinished prediction" in ended.err

    monkeypatch.setattr(
        partial_module.PartialLogits, "add", lambda self, key, logits: (add(self, key, logits), seen.append(key))
    )
    folder, ended = predict(run_dir, features, "--labels", labels_of(other_cls_cohort), "--no_figures", "--resume")
    ended.check()
    n_slides = len(find_slides([features]))
    assert len(seen) == len(set(seen)) == n_slides
    assert {name: (folder / name).read_bytes() for name in files_in(folder) if name != "predict.json"} == expected


def test_explanations_of_another_cohort(trained, predict, other_cls_cohort, run_main):
    run_dir = trained("cls")
    folder, ended = predict(
        run_dir, other_cls_cohort.features_dir, "--labels", labels_of(other_cls_cohort), "--no_figures"
    )
    ended.check()
    there = ["--run_dir", folder.parents[1], "--cohort", "there", "--features_dir", other_cls_cohort.features_dir]
    run_main("--stage", "explain", *there, "--folds", "1", "--explain_cases", "1").check()
    cases = pd.read_csv(folder / "fold1" / "explain" / "cases.csv")
    assert cases["reason"].tolist() == ["most certain", "least certain"]
    for slide_id in cases["slide_ids"]:
        assert (folder / "fold1" / "explain" / slide_id / "attention.png").exists()
    shares = pd.read_csv(folder / "fold1" / "explain" / "anchor_shares.csv")
    assert len(shares) == len(find_slides([other_cls_cohort.features_dir]))
    assert "slides of the cohort there" in run_main("--stage", "explain", *there, "--explain_slides", "nobody").err


def test_slide_anchors_need_those_of_the_cohort(
    trained, predict, cls_cohort, other_cls_cohort, run_clustering, tmp_path
):
    def fit(cohort: Cohort, name: str) -> Path:
        places = ["--input_dir", cohort.features_dir, "--output_dir", tmp_path / name]
        run_clustering("--dataset_name", "toy", "--n_clusters", "8", "--scope", "slide", *places).check()
        return tmp_path / name / "toy_C_8_slides"

    run_dir = trained("cls", "--anchors", str(fit(cls_cohort, "here")))
    folder, ended = predict(run_dir, other_cls_cohort.features_dir)
    assert ended.status == 2
    assert "--scope slide" in ended.err
    folder, ended = predict(run_dir, other_cls_cohort.features_dir, "--anchors", fit(other_cls_cohort, "there"))
    ended.check()
    assert pd.read_csv(folder / "predictions.csv")["prob_1"].between(0, 1).all()


def changed(cohort: Cohort, folder: Path, change: Callable[[torch.Tensor], torch.Tensor]) -> Path:
    """The slides of a cohort with other features."""
    for slide_id, path in find_slides([cohort.features_dir]).items():
        slide = read_slide(path)
        write_slide(folder / f"{slide_id}.pt", change(slide.features), slide.coords, slide.attributes)
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda features: features[:, :5], "of width 5 where 8 was expected"),
        (lambda features: features * 30, "expected features of the same encoder on the same scale"),
        (torch.nn.functional.normalize, "expected features of the same encoder on the same scale"),
    ],
    ids=["width", "scale", "normalised"],
)
def test_other_features_are_refused(trained, predict, other_cls_cohort, tmp_path, change, said):
    folder, ended = predict(trained("cls"), changed(other_cls_cohort, tmp_path / "other", change))
    assert ended.status == 2
    assert said in ended.err
    assert not folder.exists()


def test_patients_of_the_training_are_refused_or_noted(trained, predict, cls_cohort):
    run_dir = trained("cls")
    folder, ended = predict(run_dir, cls_cohort.features_dir)
    assert ended.status == 2
    first = pd.read_csv(run_dir / "fold0" / "predictions_train.csv")["slide_ids"]
    assert f"{len(first)} by fold 0" in ended.err
    assert not folder.exists()
    folder, ended = predict(run_dir, cls_cohort.features_dir, "--allow_patient_overlap")
    ended.check()
    assert "warning: patients or slides of the cohort were in training" in ended.out
    assert "in training" in json.loads((folder / "predict.json").read_text())["warnings"][-3]


def test_classes_that_the_model_does_not_know_are_refused(trained, predict, other_cls_cohort, tmp_path):
    labels = pd.read_csv(labels_of(other_cls_cohort))
    labels.loc[0, "label"] = 5
    labels.to_csv(tmp_path / "more.csv", index=False)
    folder, ended = predict(trained("cls"), other_cls_cohort.features_dir, "--labels", tmp_path / "more.csv")
    assert ended.status == 2
    assert "5" in ended.err
    assert not folder.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--folds", "7"), "got --folds 7, expected folds of"),
        (("--anchors", "somewhere"), "got --anchors for a run without slide anchors"),
        (("--explain_cases", "2"), "expected --stage explain with it"),
        (("--on_missing", "error", "--labels", "nowhere.csv"), "nowhere.csv"),
    ],
    ids=["folds", "anchors", "explanation", "labels"],
)
def test_mistakes_are_one_sentence(trained, predict, other_cls_cohort, more, said):
    folder, ended = predict(trained("cls"), other_cls_cohort.features_dir, *more)
    assert ended.status == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert not folder.exists()


def test_predictions_of_a_fold_that_was_trained_again_are_not_gone_on_with(
    trained, predict, other_cls_cohort, run_main
):
    run_dir, features = trained("cls"), other_cls_cohort.features_dir
    folder, ended = predict(run_dir, features)
    ended.check()
    assert "is predicted already" in predict(run_dir, features, "--resume")[1].check().out
    checkpoint = folder.parents[1] / "fold1" / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True)
    next(iter(state["model"].values())).add_(0.01)
    torch.save(state, checkpoint)
    said = "was trained again since it predicted"
    assert said in predict(run_dir, features, "--resume")[1].err
    there = ["--run_dir", folder.parents[1], "--cohort", "there", "--features_dir", features]
    assert said in run_main("--stage", "explain", *there).err
    predict(run_dir, features, "--overwrite")[1].check()


def test_labels_that_come_later_evaluate_what_was_predicted(trained, predict, other_surv_cohort, monkeypatch, tmp_path):
    """Blinded first: the slides are not read by a model again, and the files are those of one call with labels."""
    run_dir, cohort = trained("surv"), other_surv_cohort
    pattern = ("--patient_pattern", "^(SYN1-[0-9]+)-", "--no_figures")
    folder, ended = predict(run_dir, cohort.features_dir, *pattern)
    ended.check()
    labels = pd.read_csv(labels_of(cohort)).drop(columns="case_id")
    labels.to_csv(tmp_path / "t.csv", index=False)
    with monkeypatch.context() as patch:
        patch.setattr(partial_module.PartialLogits, "add", None)  # a model that predicts would fail
        later = predict(run_dir, cohort.features_dir, *pattern, "--labels", tmp_path / "t.csv", "--resume")[1].check()
    assert "took up the labels of 20 cases" in later.out
    relabelled = {name: (folder / name).read_bytes() for name in files_in(folder) if name != "predict.json"}
    predict(run_dir, cohort.features_dir, *pattern, "--labels", tmp_path / "t.csv", "--overwrite")[1].check()
    assert {name: (folder / name).read_bytes() for name in files_in(folder) if name != "predict.json"} == relabelled


def test_going_on_with_other_folds_or_features_is_refused(trained, predict, other_cls_cohort, run_main, tmp_path):
    run_dir, features = trained("cls"), other_cls_cohort.features_dir
    folder, ended = predict(run_dir, features)
    ended.check()
    assert (
        "holds predictions of folds 0 and 1, and --folds asks for fold 1"
        in predict(run_dir, features, "--resume", "--folds", "1")[1].err
    )
    moved = changed(other_cls_cohort, tmp_path / "moved", lambda values: values + 0.01)
    said = "are not those that were predicted in"
    assert said in predict(run_dir, moved, "--resume")[1].err
    there = ["--run_dir", folder.parents[1], "--cohort", "there", "--features_dir", moved]
    assert said in run_main("--stage", "explain", *there).err


def test_patients_of_unlabelled_rows_are_known(trained, predict, cls_cohort, other_cls_cohort, tmp_path):
    """A new slide of a training patient is refused, with a label or without, and without a table by its name."""
    run_dir = trained("cls")
    (patient, *_) = pd.read_csv(run_dir / "fold0" / "predictions_train.csv")["case_id"]
    features = tmp_path / "mixed"
    shutil.copytree(other_cls_cohort.features_dir, features)
    shutil.copy(next(cls_cohort.features_dir.glob(f"{patient}*")), features / f"{patient}-new.h5")
    assert f"1 by fold 0 ({patient}-new)" in predict(run_dir, features)[1].err
    (features / f"{patient}-new.h5").rename(features / "renamed.h5")
    (tmp_path / "t.csv").write_text(labels_of(other_cls_cohort).read_text() + f"{patient},renamed,\n")
    assert f"1 by fold 0 ({patient})" in predict(run_dir, features, "--labels", tmp_path / "t.csv")[1].err


def test_words_of_the_table_for_the_classes_are_recorded(trained, predict, other_cls_cohort, tmp_path):
    rows = pd.read_csv(labels_of(other_cls_cohort))
    rows["label"] = rows["label"].map({0: "low grade", 1: "high; grade"})
    rows.to_csv(tmp_path / "t.csv", index=False)
    words = ("--labels", tmp_path / "t.csv", "--classes", "low grade", "high; grade", "--no_figures")
    folder, ended = predict(trained("cls"), other_cls_cohort.features_dir, *words)
    ended.check()
    said = "words of the label table for the classes of the run: 'low grade' = '0', 'high; grade' = '1'"
    assert said in ended.out
    assert said in (folder / "summary.md").read_text()
    assert said in json.loads((folder / "predict.json").read_text())["notes"]


def test_an_export_can_be_repeated_and_replaces_nothing_else(trained, tmp_path):
    run_dir, out = trained("cls"), tmp_path / "out"
    assert export.main([str(run_dir), str(out), "--folds", "1"]) == 0
    assert json.loads((out / "model.json").read_text())["metrics"]["folds"] == [1]  # of what is handed on
    assert export.main([str(run_dir), str(out)]) == 2
    (out / "model.json").unlink()  # as an interrupted export leaves it
    assert export.main([str(run_dir), str(out), "--overwrite"]) == 0
    assert len(load_ensemble(out).folds) == 2
    (out / "mine.txt").touch()
    assert export.main([str(run_dir), str(out), "--overwrite"]) == 2
    assert (out / "mine.txt").exists()
    assert export.main([str(out), str(tmp_path / "again")]) == 2


def test_folds_count_once(trained):
    run_dir = trained("cls")
    assert [fold.index for fold in load_ensemble(run_dir, [1, 0, 1]).folds] == [0, 1]
    with pytest.raises(UserError, match="got --folds none"):
        load_ensemble(run_dir, [])


def test_other_labels_leave_nothing_of_the_earlier_ones(trained, predict, other_surv_cohort, tmp_path):
    run_dir, features = trained("surv"), other_surv_cohort.features_dir
    labels = pd.read_csv(labels_of(other_surv_cohort))
    folder, ended = predict(run_dir, features, "--labels", labels_of(other_surv_cohort))
    ended.check()
    assert (folder / "report.html").exists()
    labels.assign(survival_months=labels["survival_months"] + 1).to_csv(tmp_path / "t.csv", index=False)
    predict(run_dir, features, "--labels", tmp_path / "t.csv", "--resume", "--no_figures")[1].check()
    assert not (folder / "report.html").exists()
    assert not (folder / "figures").exists()


def test_the_pattern_of_before_serves_labels_that_come_later(trained, predict, other_surv_cohort, tmp_path):
    run_dir, features = trained("surv"), other_surv_cohort.features_dir
    folder, ended = predict(run_dir, features, "--patient_pattern", r"^(SYN1-\d+)-", "--no_figures")
    ended.check()
    assert r"'^(SYN1-\d+)-'" in ended.out  # as it was typed
    labels = pd.read_csv(labels_of(other_surv_cohort)).drop_duplicates("case_id").drop(columns="slide_id")
    labels.to_csv(tmp_path / "t.csv", index=False)
    predict(run_dir, features, "--labels", tmp_path / "t.csv", "--resume", "--no_figures")[1].check()
    assert json.loads((folder / "summary.json").read_text())["ensemble"]["n_test"] == 20


def test_a_slide_id_that_predictions_cannot_hold_is_refused_before_any_work(
    trained, predict, other_cls_cohort, tmp_path
):
    features = tmp_path / "odd"
    shutil.copytree(other_cls_cohort.features_dir, features)
    next(features.glob("*.h5")).rename(features / "a;b.h5")
    folder, ended = predict(trained("cls"), features)
    assert (ended.status, folder.exists()) == (2, False)
    assert "the slide id 'a;b' holds ';'" in ended.err


def test_more_epochs_make_the_tables_of_a_cohort_say_so(surv_cohort, other_surv_cohort, run_main, tmp_path):
    arguments = surv_arguments(surv_cohort, tmp_path, "--lr", "1e-2", "--patience", "50")
    run_main(*arguments).check()
    run_dir = next(tmp_path.rglob("run.json")).parent
    there = ["--features_dir", other_surv_cohort.features_dir, "--cohort", "there", "--no_figures"]
    run_main("--stage", "predict", "--run_dir", run_dir, *there, "--labels", labels_of(other_surv_cohort)).check()
    ended = run_main(*arguments, "--epochs", "8", "--resume").check()
    summary = (run_dir / "predict" / "there" / "summary.md").read_text()
    assert "trained again since it predicted this cohort" in summary
    assert "the predictions of there in" in ended.out
