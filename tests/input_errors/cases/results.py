"""Mistakes in the folders of runs, and in applying them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from tests.input_errors.case import cases_of
from tests.input_errors.cohort import (
    COHORT,
    PREDICT,
    RUN,
    TRAINED,
    cut_file,
    drop_column,
    set_cell,
    set_column,
    set_json,
)
from tests.input_errors.commands import call

KIND = "Results and trained runs"
case = cases_of(KIND)
RECORD, CHECKPOINT, TESTED = RUN / "run.json", RUN / "fold0/checkpoint.pt", RUN / "fold0/predictions_test.csv"
TABLES, FIGURES, REPORT = (f"python -m utils.{name} {RUN}" for name in ("tables", "figures", "report"))
JSON_TEXT = [r"(?<=JSON text \().*(?=\);)"]
PLAN = "task,dataset,model,formulation,ablate,n_clusters,seed,run_dir\n"


def _plan(*lines: str) -> str:
    Path("plan.csv").write_text(PLAN + "".join(f"{line}\n" for line in lines))
    return "python -m utils.paper plan.csv --output_dir out"


@case("Results that are there")
def there() -> str:
    return TRAINED


@case("`--resume` with other settings")
def other_settings() -> str:
    return f"{TRAINED} --resume --lr 0.5"


@case("`--resume` with other splits")
def other_splits() -> str:
    set_cell(Path("splits/fold0.csv"), "test_label", "1", row=0)
    return f"{TRAINED} --resume"


@case("`--resume` with other features")
def other_features() -> str:
    shutil.copy("features/s01.h5", "features/s03.h5")
    return f"{TRAINED} --resume"


@case("`--resume` of a run of an earlier protocol")
def earlier_protocol() -> str:
    record = json.loads(RECORD.read_text())
    set_json(RECORD, protocol=record["protocol"] | {"loss of an accumulation window": "divided by its cases"})
    return f"{TRAINED} --resume"


@case("`--stage test` of a fold that is not trained")
def not_trained() -> str:
    CHECKPOINT.unlink()
    return f"{TRAINED} --stage test --overwrite"


@case("`--stage test` of test cases that are predicted")
def tested_before() -> str:
    return f"{TRAINED} --stage test"


@case("`--stage explain` of a fold that is not tested")
def not_tested() -> str:
    TESTED.unlink()
    return f"{TRAINED} --stage explain --explain_cases 1"


@case("`--stage explain` of a case that is not there")
def no_case() -> str:
    return f"{TRAINED} --stage explain --explain_slides s99"


@case("A checkpoint cut short", varies=[r"(?<=checkpoint \().*(?=\):)"])
def cut_checkpoint() -> str:
    cut_file(CHECKPOINT)
    return f"{TRAINED} --stage test --overwrite"


@case("A checkpoint of a later version")
def later_checkpoint() -> str:
    state = torch.load(CHECKPOINT, weights_only=True)
    torch.save(state | {"format": 999}, CHECKPOINT)
    return f"{TRAINED} --stage test --overwrite"


@case("A checkpoint that lacks a weight")
def checkpoint_without_a_weight() -> str:
    state = torch.load(CHECKPOINT, weights_only=True)
    del state["model"][next(iter(state["model"]))]
    torch.save(state, CHECKPOINT)
    return f"{TRAINED} --stage test --overwrite"


@case("A checkpoint whose weights are NaN")
def nan_checkpoint() -> str:
    state = torch.load(CHECKPOINT, weights_only=True)
    weights = state["model"]
    name = next(name for name in weights if name.endswith("bias"))
    weights[name] = torch.full_like(weights[name], float("nan"))
    torch.save(state, CHECKPOINT)
    return f"{TRAINED} --stage test --overwrite"


@case("A file in the place of the folder of results")
def file_as_folder() -> str:
    shutil.rmtree("results")
    Path("results").write_text("")
    return TRAINED


@case("A folder that is no run")
def no_run() -> str:
    return TABLES.replace(str(RUN), "features")


@case("A folder of a run that does not exist")
def no_folder() -> str:
    return TABLES.replace(str(RUN), "results/cls/toy/other")


@case("A damaged `run.json`", varies=JSON_TEXT)
def damaged_record() -> str:
    cut_file(RECORD)
    return TABLES


@case("A `run.json` that is a list")
def list_as_record() -> str:
    RECORD.write_text("[1, 2]")
    return TABLES


@case("A `run.json` of a later version")
def later_record() -> str:
    set_json(RECORD, format=999)
    return TABLES


@case("A `run.json` of an unknown task")
def unknown_task() -> str:
    set_json(RECORD, task="seg")
    return TABLES


@case("A `run.json` with an impossible value")
def impossible_folds() -> str:
    set_json(RECORD, folds=["a"])
    return TABLES


@case("A run without predictions")
def no_predictions() -> str:
    for path in RUN.glob("fold*/predictions_test.csv"):
        path.unlink()
    return TABLES


@case("Predictions without a column")
def no_column() -> str:
    drop_column(TESTED, "label")
    return TABLES


@case("A prediction that is no number")
def word_as_probability() -> str:
    set_cell(TESTED, "prob_0", "high")
    return TABLES


@case("Probabilities that do not sum to 1")
def other_sum() -> str:
    set_column(TESTED, "prob_0", lambda cell: 0.9)
    set_column(TESTED, "prob_1", lambda cell: 0.9)
    return TABLES


@case("An empty prediction file")
def empty_predictions() -> str:
    TESTED.write_text("")
    return TABLES


@case("A log that is no table")
def damaged_log() -> str:
    (RUN / "fold0/log.csv").write_text("epoch\n1\n")
    return FIGURES


@case("A folder without anything to draw")
def nothing_to_draw() -> str:
    for path in [*RUN.glob("fold*/predictions_test.csv"), *RUN.glob("fold*/log.csv")]:
        path.unlink()
    return FIGURES


@case("A results folder without runs")
def no_runs() -> str:
    return REPORT.replace(str(RUN), "features")


@case("`--stage predict` of a folder that is no run")
def predict_no_run() -> str:
    return PREDICT.replace(str(RUN), "splits")


@case("`--stage predict` of patients that a fold was trained on")
def predict_known_patients() -> str:
    return PREDICT


@case("`--stage predict` of features of another width")
def predict_other_width() -> str:
    from datasets.slides.features import write_slide

    write_slide(Path("b/x1.h5"), torch.zeros(20, 24))
    return PREDICT.replace("features_dir features", "features_dir b")


@case("`--stage predict` of features of another scale")
def predict_other_scale() -> str:
    from datasets.slides.features import write_slide

    write_slide(Path("b/x1.h5"), torch.randn(20, 16, generator=torch.Generator().manual_seed(0)) * 1e4)
    return PREDICT.replace("features_dir features", "features_dir b")


@case("`--stage predict` with a fold that the run does not have")
def predict_other_fold() -> str:
    return f"{PREDICT} --folds 7 --allow_patient_overlap"


@case("`--stage predict` with labels of other slides")
def predict_other_labels() -> str:
    set_column(Path("labels.csv"), "slide_id", lambda cell: f"x{cell}")
    return f"{PREDICT} --labels labels.csv --allow_patient_overlap"


@case("A cohort that is predicted already")
def predict_again() -> str:
    COHORT.mkdir(parents=True)
    (COHORT / "predict.json").write_text("{}")
    return f"{PREDICT} --allow_patient_overlap"


@case("A damaged `predict.json`", varies=JSON_TEXT)
def damaged_predict_record() -> str:
    COHORT.mkdir(parents=True)
    (COHORT / "predict.json").write_text("{")
    return TABLES.replace(str(RUN), str(COHORT))


@case("A cohort to explain that is not predicted")
def explain_unpredicted() -> str:
    return PREDICT.replace("--stage predict", "--stage explain") + " --explain_cases 1"


@case("An export of a run without folds")
def export_nothing() -> str:
    for path in RUN.glob("fold*/checkpoint.pt"):
        path.unlink()
    return f"python -m utils.pipeline.export {RUN} out"


@case("A damaged record of an exported model", varies=JSON_TEXT)
def damaged_export() -> str:
    call(f"python -m utils.pipeline.export {RUN} model")
    cut_file(Path("model/model.json"))
    return PREDICT.replace(str(RUN), "model")


@case("Weights of an exported model cut short")
def cut_export() -> str:
    call(f"python -m utils.pipeline.export {RUN} model")
    cut_file(Path("model/fold0.safetensors"))
    return PREDICT.replace(str(RUN), "model") + " --allow_patient_overlap"


@case("A plan that does not exist")
def no_plan() -> str:
    return "python -m utils.paper plan.csv --output_dir out"


@case("A plan without a column")
def plan_without_column() -> str:
    Path("plan.csv").write_text("task,dataset\ncls,toy\n")
    return "python -m utils.paper plan.csv --output_dir out"


@case("A plan of a model without its form")
def plan_of_no_form() -> str:
    return _plan(f"cls,toy,mico,none,,8,2024,{RUN}")


@case("A plan with a number of anchors that is none")
def plan_of_no_number() -> str:
    return _plan(f"cls,toy,mico,released,,many,2024,{RUN}")


@case("A plan that names a run twice")
def plan_twice() -> str:
    return _plan(f"cls,toy,mico,released,,8,2024,{RUN}", "cls,toy,mico,released,,8,2024,results/other")


@case("A plan of another seed than the run")
def plan_of_other_seed() -> str:
    return _plan(f"cls,toy,mico,released,,8,7,{RUN}")


@case("Runs of two data sets, compared")
def tuning_of_two() -> str:
    other = RUN.with_name("other")
    shutil.copytree(RUN, other)
    record = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps(record | {"dataset": "toy2"}))
    return f"python -m utils.tables.tuning {RUN} {other}"
