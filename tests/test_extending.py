"""docs/extending.md followed to the letter for a model: its file, its line, its test, and its option in main.py."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTION = PAGE.split("\n## A model\n")[1].split("\n## ")[0]
MODEL_FILE, LINE, TEST_FILE = re.findall(r"^```python\n(.*?)^```", SECTION, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> Path:
    """A copy of this repository with the model of the page."""
    place = tmp_path_factory.mktemp("extended")
    for name in ("models", "datasets", "utils"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("main.py", "pyproject.toml"):
        shutil.copy(ROOT / name, place / name)
    (place / "models" / "baselines" / "softmax_pool.py").write_text(MODEL_FILE, encoding="utf-8")
    registry = place / "models" / "__init__.py"
    text, n_changed = re.subn(r"(MODELS: .*?\n)\}", rf"\g<1>{LINE}}}", registry.read_text(), count=1, flags=re.DOTALL)
    assert n_changed == 1
    registry.write_text(text, encoding="utf-8")
    test = place / "tests" / "models" / "baselines" / "test_softmax_pool.py"
    test.parent.mkdir(parents=True)
    test.write_text(TEST_FILE, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Cohort:
    settings = CohortSettings(task="cls", n_cases=16, n_folds=2, dim=8, patches_per_slide=(12, 30))
    return make_cohort(tmp_path_factory.mktemp("cohort"), settings)


def python(place: Path, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


def train(place: Path, cohort: Cohort, results: Path, *more: str) -> subprocess.CompletedProcess:
    places = ["--features_dir", cohort.features_dir, "--splits_dir", cohort.splits_dir, "--results_dir", results]
    small = ["--embed_dim", "8", "--epochs", "2", "--folds", "0", "--device", "cpu", "--no_figures", "--lr", "0.01"]
    return python(place, "main.py", "--task", "cls", "--dataset", "toy", "--anchors", "random", *places, *small, *more)


def test_its_file_is_named_as_the_page_says():
    assert "`models/baselines/softmax_pool.py`" in SECTION
    assert "`tests/models/baselines/test_softmax_pool.py`" in SECTION
    assert "`MODELS` of `models/__init__.py`" in SECTION


def test_its_test_passes(extended):
    ended = python(extended, "-m", "pytest", "-q", "tests/models/baselines/test_softmax_pool.py")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_its_option_is_in_the_help(extended):
    shown = " ".join(python(extended, "main.py", "--help").stdout.split())
    explained = "T; the higher, the more evenly patches weigh (softmax_pool; default: 1.0)"
    assert f"--temperature FLOAT {explained}" in shown
    assert "deepgraphconv,softmax_pool}" in shown


def test_it_is_trained_with_its_option_which_is_recorded(extended, cohort, tmp_path):
    predictions = []
    for temperature in ("0.5", "8"):
        chosen = ("--model", "softmax_pool", "--temperature", temperature)
        ended = train(extended, cohort, tmp_path / temperature, *chosen)
        assert ended.returncode == 0, ended.stderr
        run_dir = tmp_path / temperature / "cls" / "toy" / "softmax_pool"
        settings = json.loads((run_dir / "run.json").read_text())["settings"]
        assert (settings["model"], settings["temperature"]) == ("softmax_pool", float(temperature))
        checkpoint = torch.load(run_dir / "fold0" / "checkpoint.pt", weights_only=True)
        assert checkpoint["architecture"]["temperature"] == float(temperature)
        predictions.append((run_dir / "fold0" / "predictions_test.csv").read_text())
    assert predictions[0] != predictions[1]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ("--model abmil --temperature 2", "got --temperature with --model abmil, expected it with softmax_pool only"),
        ("--model softmax_pool --temperature warm", "argument --temperature: invalid float value: 'warm'"),
        ("--model softmax_pool --temperature 0", "got temperature 0.0, expected a positive number"),
        ("--model softmax_pool --n_stages 2", "got --n_stages with --model softmax_pool, expected it with mico only"),
    ],
)
def test_mistakes_are_one_sentence(extended, cohort, tmp_path, chosen: str, said: str):
    ended = train(extended, cohort, tmp_path / "r", *chosen.split(" "))
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "r").exists()
