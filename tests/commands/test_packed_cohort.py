"""Commands over a pack leave what they leave over the files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from datasets.pack.__main__ import main as pack
from datasets.slides.features import read_slide, write_slide
from datasets.synthetic.cohort import Cohort
from tests.commands.conftest import Command, cls_arguments, files_in, surv_arguments

ROOT = Path(__file__).parents[2]
OTHER = ("started", "resumed", "settings")  # of the records: times and places
HOUR = 3_600_000_000_000
pytestmark = pytest.mark.slow


def packed(cohort: Cohort, folder: Path) -> Path:
    assert pack(["--features_dir", str(cohort.features_dir), "--output_dir", str(folder)]) == 0
    return folder


def contents(place: Path) -> dict[str, Any]:
    """All files but those that hold seconds; of the records, without the places, versions and dates."""
    found: dict[str, Any] = {}
    for name in files_in(place):
        if name.endswith(("run.json", "predict.json", "_init.json")):
            record = json.loads((place / name).read_text())
            found |= {f"{name} {key}": value for key, value in record.items() if key not in OTHER}
        elif not name.endswith(("log.csv", "last.pt")):
            found[name] = (place / name).read_bytes()
    return found


def test_packing_says_what_it_did(cls_cohort, tmp_path, capfd):
    folder = packed(cls_cohort, tmp_path / "pack")
    n_slides = len(list(cls_cohort.features_dir.glob("*.h5")))
    size = round((folder / "slides.bin").stat().st_size / 1000)
    assert capfd.readouterr().out == f"packed {n_slides} slides, {size} kB: give --features_dir {folder}\n"
    assert pack(["--features_dir", str(cls_cohort.features_dir), "--output_dir", str(folder)]) == 2
    assert f"{folder} holds a pack: pass --overwrite" in capfd.readouterr().err


def test_anchors_run_predictions_and_explanations_are_those_of_the_files(
    surv_cohort, run_main: Command, run_clustering: Command, tmp_path
):
    places = {"files": surv_cohort.features_dir, "pack": packed(surv_cohort, tmp_path / "pack")}
    for name, features in places.items():
        own = tmp_path / name if name == "files" else tmp_path / "of_pack"
        run_clustering(
            *("--dataset_name", "toy", "--input_dir", features, "--output_dir", own / "anchors"),
            *("--n_clusters", "8", "--fold_csv", surv_cohort.splits_dir / "fold0.csv"),
        ).check()
        options = ["--features_dir", features, "--anchors", own / "anchors" / "toy_C_8_init_fold{fold}.pt"]
        more = ["--max_patches", "10", "--num_workers", "2", "--precision", "fp32", "--folds", "0"]
        arguments = [*surv_arguments(surv_cohort, own / "results"), *options, *more]
        run_main(*arguments).check()
        run_dir = own / "results/surv/toy/mico_released"
        run_main(*arguments, "--stage", "explain").check()
        cohort = ["--stage", "predict", "--run_dir", run_dir, "--features_dir", features, "--cohort", "same"]
        run_main(*cohort, "--device", "cpu", "--no_figures", "--allow_patient_overlap").check()
    of_files, of_pack = contents(tmp_path / "files"), contents(tmp_path / "of_pack")
    assert of_pack.keys() == of_files.keys()
    assert [name for name, content in of_files.items() if of_pack[name] != content] == []
    assert of_files["results/surv/toy/mico_released/run.json features"]


def test_a_run_over_the_files_goes_on_over_the_pack(cls_cohort, run_main: Command, tmp_path):
    arguments = cls_arguments(cls_cohort, tmp_path / "results")
    folder = packed(cls_cohort, tmp_path / "pack")
    run_main(*arguments, "--stage", "train").check()
    ended = run_main(*arguments, "--resume", "--features_dir", folder, "--cache", "ram", "--verify", "full").check()
    assert "slides are kept in memory" in ended.out
    run_main(*cls_arguments(cls_cohort, tmp_path / "whole")).check()
    found, whole = contents(tmp_path / "results"), contents(tmp_path / "whole")
    assert [name for name, content in whole.items() if found[name] != content] == []


def test_changed_files_are_read_from_where_they_are(cls_cohort, run_main: Command, tmp_path):
    features = tmp_path / "features"
    shutil.copytree(cls_cohort.features_dir, features)
    assert pack(["--features_dir", str(features), "--output_dir", str(tmp_path / "pack")]) == 0
    for path in sorted(features.glob("*.h5"))[:2]:
        write_slide(path, read_slide(path).features + 1)
        os.utime(path, ns=(0, time.time_ns() - HOUR))
    for name in ("features", "pack"):
        ended = run_main(*cls_arguments(cls_cohort, tmp_path / f"r_{name}"), "--features_dir", tmp_path / name).check()
    assert ended.out.count("2 feature files changed, 0 came and 0 went: read from the files as they are now") == 1
    assert contents(tmp_path / "r_pack") == contents(tmp_path / "r_features")
    shutil.rmtree(features)
    ended = run_main(*cls_arguments(cls_cohort, tmp_path / "r_alone"), "--features_dir", tmp_path / "pack").check()
    assert f"{features} without feature files" in ended.out
    assert contents(tmp_path / "r_alone") != contents(tmp_path / "r_pack")


@pytest.mark.parametrize(("number", "said"), [(signal.SIGKILL, ""), (signal.SIGTERM, "stopped by SIGTERM; the same")])
def test_a_packing_that_is_stopped_goes_on(tmp_path, number: int, said: str):
    """In a process of its own, which stops itself when two slides are written."""
    features, folder = tmp_path / "features", tmp_path / "pack"
    for name in "abcd":
        write_slide(features / f"{name}.pt", torch.ones(3, 4))
        os.utime(features / f"{name}.pt", ns=(0, time.time_ns() - HOUR))
    code = (
        "import os, sys\nfrom datasets.pack import unfinished_pack as u\nfrom datasets.pack.__main__ import main\n"
        "add = u.UnfinishedPack.add\n"
        f"def stop(self, *a):\n    add(self, *a)\n    if len(self.slides) == 2: os.kill(os.getpid(), {int(number)})\n"
        "u.UnfinishedPack.add = stop\n"
        f"sys.exit(main(['--features_dir', {str(features)!r}, '--output_dir', {str(folder)!r}]))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode in (-number, 128 + number)
    assert said in ended.stderr
    assert sorted(path.name for path in folder.iterdir()) == [".pack.csv.partial", ".slides.bin.partial"]
    assert pack(["--features_dir", str(features), "--output_dir", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["pack.csv", "slides.bin"]
