"""The shell scripts, the README's commands and its Python, run as a user would."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import main as main_command
import run_clustering as clustering_command
from models import options_of
from tests.commands.conftest import cls_arguments, surv_arguments
from utils.command.clustering_settings import ClusteringSettings
from utils.command.settings import RunSettings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def bash(*command: str, **variables: object) -> subprocess.CompletedProcess:
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    return subprocess.run(
        ["bash", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=400
    )


def blocks(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """The demonstration, with one epoch instead of 20 and everything else as the README has it."""
    place = tmp_path_factory.mktemp("demonstration") / "demo"
    ended = bash("script/run_demo.sh", DEMO_DIR=place, EPOCHS=1)
    assert ended.returncode == 0, ended.stderr
    (place / "printed.txt").write_text(ended.stdout)
    return place


@pytest.mark.xdist_group("demonstration")  # one process makes it for both tests
def test_the_demonstration(demo):
    printed = (demo / "printed.txt").read_text()
    for task, dataset, metric in (("cls", "ucsb_breast", "auc"), ("surv", "synthetic", "c_index")):
        run_dir = demo / "results" / task / dataset / "mico_released"
        assert str(run_dir) in printed
        assert (run_dir / "summary.md").read_text().strip() in printed
        summary = json.loads((run_dir / "summary.json").read_text())
        assert [fold["fold"] for fold in summary["folds"]] == [0, 1, 2, 3]
        assert 0 <= summary["mean"][metric] <= 1
        assert summary["warnings"] == []
    ucsb = json.loads((demo / "results/cls/ucsb_breast/mico_released/run.json").read_text())
    assert ucsb["feature_norm"] == "zscore"
    assert re.search(r"C-index of the true risk, over all cases: 0\.\d+", printed)

    again = bash("script/run_demo.sh", DEMO_DIR=demo, EPOCHS=1)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("is finished") == 8


def test_run_cls_with_slide_anchors(cls_cohort, tmp_path):
    places = {"FEATURES_DIR": cls_cohort.features_dir, "SPLITS_DIR": cls_cohort.splits_dir}
    places |= {"ANCHORS_DIR": tmp_path / "anchors", "RESULTS_DIR": tmp_path / "results"}
    settings = {"DATASET": "TOY", "N_CLUSTERS": 8, "EPOCHS": 1, "GPU": "cpu", "NUM_WORKERS": 0, "UNIT": "patient"}
    ended = bash("script/run_cls.sh", "--embed_dim", "8", ANCHOR_SCOPE="slide", JOBS=2, **places, **settings)
    assert ended.returncode == 0, ended.stderr
    assert "2 of 2  done: slide anchors, part" in ended.stdout
    summary = json.loads((tmp_path / "results/cls/TOY/mico_released_patient/summary.json").read_text())
    assert [fold["fold"] for fold in summary["folds"]] == [0, 1]  # all of the splits
    assert summary["folds_left_out"] == ""
    assert summary["unit"] == "patient"
    ended = bash("script/run_cls.sh", ANCHOR_SCOPE="slide", **places, **settings)
    assert ended.returncode == 2
    assert "already holds" in ended.stderr

    # Applied to slides of another cohort (here the same ones), whose anchors both calls need, and classes of two words.
    labels = pd.read_csv(cls_cohort.splits_dir.parent / "labels.csv", dtype=str)
    labels["kind"] = labels["label"].map({"0": "ductal", "1": "mucinous; other"})
    labels.to_csv(tmp_path / "labels.csv", index=False)
    run_dir = tmp_path / "results/cls/TOY/mico_released_patient"
    applied = {"RUN_DIR": run_dir, "FEATURES_DIR": cls_cohort.features_dir, "COHORT": "b", "GPU": "cpu"}
    applied |= {"LABELS": tmp_path / "labels.csv", "ANCHORS": tmp_path / "anchors/TOY_C_8_slides", "EXPLAIN": 1}
    applied |= {"LABEL_OPTIONS": "--label_column kind --classes ductal 'mucinous; other'", "NUM_WORKERS": 0}
    options = ["--allow_patient_overlap", "--no_figures"]
    ended = bash("script/predict.sh", *options, EXPLAIN_OPTIONS="--geojson x", **applied)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "got --geojson x, expected one of patches, regions" in ended.stderr
    ended = bash("script/predict.sh", *options, EXPLAIN_OPTIONS="--geojson regions", **applied)
    assert ended.returncode == 0, ended.stderr
    assert [(run_dir / f"predict/b/fold{k}/explain/cases.csv").exists() for k in (0, 1)] == [True, True]


def test_paths_whose_signs_mean_something_to_a_shell(cls_cohort, tmp_path):
    place = tmp_path / "R&D \\1 'x' $HOME *"
    shutil.copytree(cls_cohort.splits_dir.parent, place)
    places = {"FEATURES_DIR": place / "features", "SPLITS_DIR": place / "splits"}
    places |= {"ANCHORS_DIR": place / "anchors", "RESULTS_DIR": place / "results"}
    settings = {"DATASET": "TOY", "N_CLUSTERS": 8, "EPOCHS": 1, "GPU": "cpu", "NUM_WORKERS": 0, "FOLDS": "1"}
    ended = bash("script/run_cls.sh", "--embed_dim", "8", "--no_figures", **places, **settings)
    assert ended.returncode == 0, ended.stderr
    assert (place / "results/cls/TOY/mico_released/fold1/metrics.json").exists()
    assert sorted(path.name for path in (place / "anchors").glob("*.pt")) == ["TOY_C_8_init_fold1.pt"]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ANCHOR_SCOPE": "both"}, "error: got ANCHOR_SCOPE=both, expected dataset or slide\n"),
        ({"REFIT_ANCHORS": "true"}, "error: got REFIT_ANCHORS=true, expected yes or no\n"),
        ({"N_CLUSTERS": "15"}, "main.py: error: the model cannot be built: got 15 anchors for 3 stages"),
        ({"EPOCHS": "0"}, "main.py: error: got --epochs 0"),
        ({"EXPLAIN": "1", "EXPLAIN_OPTIONS": "--geojson x"}, "main.py: error: got --geojson x"),
        ({"EXPLAIN_OPTIONS": "--explain_slides 'a b"}, "error: got EXPLAIN_OPTIONS=--explain_slides 'a b, expected"),
    ],
)
def test_what_is_refused_is_refused_before_anchors_are_fitted(cls_cohort, tmp_path, variables, words):
    places = {"FEATURES_DIR": cls_cohort.features_dir, "SPLITS_DIR": cls_cohort.splits_dir}
    places |= {"ANCHORS_DIR": tmp_path / "anchors", "RESULTS_DIR": tmp_path / "results"}
    ended = bash("script/run_cls.sh", DATASET="TOY", GPU="cpu", **places, **variables)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["run_cls.sh", "run_surv.sh"])
def test_scripts_hold_the_released_values(script):
    """The variables at the top and the defaults of the commands say the same."""
    values = dict(re.findall(r'^(\w+)="\$\{\1:-([^}]*)\}"', (ROOT / "script" / script).read_text(), flags=re.MULTILINE))
    defaults = {field.name: field.default for field in dataclasses.fields(RunSettings)}
    defaults |= {name: option.default for name, option in options_of("mico").items()}
    for name in (
        "epochs",
        "patience",
        "monitor",
        "lr",
        "batch_size",
        "grad_accum",
        "seed",
        "formulation",
        "n_clusters",
    ):
        assert type(defaults[name])(values[name.upper()]) == defaults[name], name
    assert values["FEATURE_NORM"] == ClusteringSettings.__dataclass_fields__["feature_norm"].default
    assert values["FOLDS"] == "all"
    assert values.get("UNIT") == (defaults["unit"] if script == "run_cls.sh" else None)


def test_an_unknown_unit_is_refused_before_any_work():
    ended = bash("script/run_cls.sh", UNIT="case")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: got UNIT=case, expected slide or patient\n"


def test_setup_does_nothing_when_nothing_changed():
    stamp = ROOT / ".venv" / "requirements-installed.txt"
    before = stamp.stat().st_mtime_ns
    ended = bash("script/setup.sh")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert stamp.stat().st_mtime_ns == before


def test_setup_refuses_what_it_does_not_know():
    ended = bash("script/setup.sh", "--with-everything")
    assert ended.returncode == 2
    assert "--with-everything" in ended.stderr


def test_every_python_command_of_the_readme_has_options_that_exist():
    parsers = {
        "main.py": main_command.parse_arguments,
        "run_clustering.py": clustering_command.get_args_parser().parse_args,
    }
    seen = set()
    for block in blocks("bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            script = next((word for word in words if word in parsers), None)
            if script is not None:
                parsers[script](words[words.index(script) + 1 :])
                seen.add(script)
    assert seen == set(parsers)


def test_every_script_of_the_readme_is_there():
    scripts = set(re.findall(r"bash (script/\w+\.sh)", README))
    assert {"script/run_demo.sh", "script/test.sh", "script/run_cls.sh", "script/run_surv.sh"} <= scripts
    for script in scripts:
        assert (ROOT / script).is_file()


@pytest.mark.xdist_group("demonstration")
def test_the_python_of_the_readme_runs(demo):
    example, trained = blocks("python")
    scope: dict[str, object] = {}
    exec(example, scope)
    assert scope["out"].logits.shape == (1, 4)
    assert scope["out"].attention.shape == scope["out"].assignment.shape == (500,)

    scope = {}
    exec(trained.replace('Path("demo/', f'Path("{demo}/'), scope)
    run_dir = demo / "results/cls/ucsb_breast/mico_released"
    folds = [
        pd.concat(pd.read_csv(run_dir / f"fold{k}" / f"predictions_{part}.csv") for part in ("train", "val", "test"))
        for k in range(4)
    ]
    for slide_id in ("ucsb_01", "ucsb_58"):
        exec(trained.replace('Path("demo/', f'Path("{demo}/').replace("ucsb_01", slide_id), scope)
        expected = sum(fold.set_index("slide_ids")["prob_1"][slide_id] for fold in folds) / 4
        assert scope["probabilities"][1].item() == pytest.approx(expected, abs=1e-5)


def test_tables_and_figures_as_commands(surv_cohort, run_main, tmp_path):
    run_main(*surv_arguments(surv_cohort, tmp_path, "--folds", "0")).check()
    run_dir = tmp_path / "surv/toy/mico_released"
    text = (run_dir / "summary.json").read_text()
    (run_dir / "summary.json").unlink()
    for module in ("utils.tables", "utils.figures"):
        subprocess.run([sys.executable, "-m", module, str(run_dir)], cwd=ROOT, check=True, capture_output=True)
    assert (run_dir / "summary.json").read_text() == text


def test_ctrl_c_in_the_middle_leaves_whole_files_and_resumes(cls_cohort, tmp_path):
    """A real SIGINT to a real process, some time in its training."""
    command = [sys.executable, "main.py", *map(str, cls_arguments(cls_cohort, tmp_path)), "--epochs", "500"]
    command += ["--patience", "500", "--folds", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    last = tmp_path / "cls/toy/mico_released/fold0/last.pt"
    deadline = time.monotonic() + 120
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.strip().splitlines()[-1].endswith("--resume goes on from what is saved")
    assert "Traceback" not in err
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]  # no half-written file
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "fold0 (begun)" in refused.stderr
