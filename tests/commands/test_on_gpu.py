"""The whole of main.py on a GPU, as far as that can be pretended: the results of the CPU, and one wait a step."""

from __future__ import annotations

import math
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.commands.conftest import cls_arguments, files_in, surv_arguments
from tests.pretend_gpu import pretend_gpu
from utils.training import engine, training

pytestmark = pytest.mark.slow

ON_GPU = ("--device", "cuda", "--precision", "fp32")
# Masks of dropout are drawn differently on a GPU.
ALIKE = ("--dropout", "0", "--folds", "0", "--epochs", "2")


def numbers_of(results: Path) -> dict[str, Any]:
    """What a run computed in fold 0; of the log, all but the seconds."""
    (record,) = results.rglob("run.json")
    fold = record.parent / "fold0"
    rows = [line.split(",") for line in (fold / "log.csv").read_text().splitlines()]
    kept = [place for place, name in enumerate(rows[0]) if "second" not in name]
    files = ("predictions_test.csv", "predictions_val.csv", "metrics.json")
    return {name: (fold / name).read_text() for name in files} | {"log": [[row[i] for i in kept] for row in rows]}


@pytest.mark.parametrize("formulation", ["released", "paper"])
def test_a_run_has_the_numbers_of_the_cpu(surv_cohort, run_main, tmp_path, formulation):
    options = [*ALIKE, "--formulation", formulation]
    run_main(*surv_arguments(surv_cohort, tmp_path / "cpu", *options)).check()
    with pretend_gpu():
        run_main(*surv_arguments(surv_cohort, tmp_path / "gpu", *options, *ON_GPU)).check()
    assert numbers_of(tmp_path / "gpu") == numbers_of(tmp_path / "cpu")


@pytest.mark.parametrize("model", ["abmil", "clam_sb", "dtfdmil", "patchgcn"])
def test_so_has_a_baseline(cls_cohort, run_main, tmp_path, model):
    options = [*ALIKE, "--model", model]
    run_main(*cls_arguments(cls_cohort, tmp_path / "cpu", *options)).check()
    with pretend_gpu():
        run_main(*cls_arguments(cls_cohort, tmp_path / "gpu", *options, *ON_GPU)).check()
    assert numbers_of(tmp_path / "gpu") == numbers_of(tmp_path / "cpu")


STEPS = {  # task, options
    "survival": ("surv", ("--precision", "fp32")),
    "16 bits": ("surv", ("--precision", "bf16")),
    "two losses": ("cls", ("--precision", "fp32", "--model", "dtfdmil")),
    "instance loss": ("cls", ("--precision", "fp32", "--model", "clam_sb")),
    "slide anchors": ("cls", ("--precision", "fp32", "--formulation", "paper")),
}


@pytest.mark.parametrize("what", STEPS)
def test_an_optimizer_step_waits_once(surv_cohort, cls_cohort, run_main, run_clustering, tmp_path, what, monkeypatch):
    task, options = STEPS[what]
    cohort, arguments = (surv_cohort, surv_arguments) if task == "surv" else (cls_cohort, cls_arguments)
    words = arguments(cohort, tmp_path, "--folds", "0", "--epochs", "2", "--grad_accum", "3")
    if what == "slide anchors":
        fit = ["--input_dir", cohort.features_dir, "--output_dir", tmp_path, "--scope", "slide", "--n_clusters", "8"]
        run_clustering("--dataset_name", "toy", *fit).check()
        words[words.index("random")] = tmp_path / "toy_C_8_slides"
    waits = []

    def epoch(*parts: Any, **more: Any) -> float:
        counts.clear()
        loss = engine.train_epoch(*parts, **more)
        waits.append(sum(counts.waits.values()))
        return loss

    monkeypatch.setattr(training, "train_epoch", epoch)
    with pretend_gpu() as counts:
        run_main(*words, "--device", "cuda", *options).check()
    column = "train_case_id" if task == "surv" else "train_slide_id"
    n_cases = pd.read_csv(cohort.splits_dir / "fold0.csv")[column].str.strip().dropna().nunique()
    assert waits == [math.ceil(n_cases / 3)] * 2


def test_a_run_goes_on_from_the_gpu_to_the_cpu_and_back(cls_cohort, run_main, tmp_path, monkeypatch):
    options = ["--dropout", "0", "--folds", "0"]
    run_main(*cls_arguments(cls_cohort, tmp_path / "whole", *options)).check()

    def stopping(label: str) -> Any:
        def epoch(*parts: Any, **more: Any) -> float:
            if more["label"] == label:
                os.kill(os.getpid(), signal.SIGTERM)
            return engine.train_epoch(*parts, **more)

        return epoch

    arguments = cls_arguments(cls_cohort, tmp_path / "moved", *options)
    with pretend_gpu(), monkeypatch.context() as patch:
        patch.setattr(training, "train_epoch", stopping("fold 0 epoch 2"))
        assert run_main(*arguments, *ON_GPU).status == 128 + signal.SIGTERM
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_epoch", stopping("fold 0 epoch 3"))
        assert run_main(*arguments, "--resume").status == 128 + signal.SIGTERM
    with pretend_gpu():
        run_main(*arguments, *ON_GPU, "--resume").check()
    assert numbers_of(tmp_path / "moved") == numbers_of(tmp_path / "whole")


def test_explanations_and_predictions(surv_cohort, other_surv_cohort, run_main, tmp_path):
    arguments = surv_arguments(surv_cohort, tmp_path / "cpu", *ALIKE)
    run_main(*arguments).check()
    shutil.copytree(tmp_path / "cpu", tmp_path / "gpu")

    def used(results: Path, *device: str) -> dict[str, bytes]:
        options = [word if word != tmp_path / "cpu" else results for word in arguments]
        run_main(*options, *device, "--stage", "explain", "--explain_cases", "1").check()
        (record,) = results.rglob("run.json")
        there = ["--features_dir", other_surv_cohort.features_dir, "--cohort", "there"]
        run_main("--stage", "predict", "--run_dir", record.parent, *there, *device).check()
        kept = [name for name in files_in(record.parent) if name.endswith(("explain/cases.csv", "patches.csv"))]
        kept += [name for name in files_in(record.parent) if "predict/" in name and name.endswith(".csv")]
        assert len(kept) > 5
        return {name: (record.parent / name).read_bytes() for name in kept}

    on_cpu = used(tmp_path / "cpu", "--device", "cpu")
    with pretend_gpu():
        assert used(tmp_path / "gpu", *ON_GPU) == on_cpu
