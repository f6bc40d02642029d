"""Runs as jobs of Slurm: the files of a serial run, by a stand-in and by a real Slurm of one node."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from datasets.synthetic.cohort import Cohort
from tests.commands.conftest import cls_arguments
from tests.commands.processes import LONG, epochs, files, finish, owner, start, wait_until
from tests.soak.comparison import contents
from tests.utils.launch.slurm.node import slurm_node
from tests.utils.launch.slurm.stand_in import StandIn

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("slurm")]

ROOT = Path(__file__).parents[2]
SUBMIT = ("--launcher", "slurm", "--slurm", "time=20", "cpus_per_task=1", "signal_delay_s=60", "--jobs", "2")


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    made = StandIn(tmp_path / "stand_in")
    monkeypatch.setenv("PATH", f"{made.bin}{os.pathsep}{os.environ['PATH']}")
    yield made
    made.close()


@pytest.fixture(scope="module")
def node() -> Iterator[dict[str, str]]:
    with slurm_node() as environment:
        yield environment


@pytest.fixture
def real(node: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, node[name])


def job_of(results: Path, piece: str) -> str:
    return str(json.loads((results / "logs" / "slurm" / "jobs.json").read_text())["pieces"][piece]["job"])


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_killed_piece_and_a_killed_command(
    stand_in: StandIn, cls_cohort: Cohort, long_run: dict[str, bytes], tmp_path: Path
):
    """The command is begun again, twice at once; what comes out is that of a serial run."""
    results = tmp_path / "results"
    run_dir = results / "cls" / "toy" / "run"
    arguments = cls_arguments(cls_cohort, results, *LONG, *SUBMIT)
    first = start(arguments)
    wait_until(lambda: epochs(run_dir / "fold1") >= 3)
    first.kill()
    first.communicate()
    os.kill(owner(run_dir / "fold1"), 9)
    others = [start(arguments), start([*arguments, "--resume"])]
    for each in others:
        assert "4 of 4  done: end: " in finish(each)
    assert files(run_dir) == long_run
    assert len([words for words in stand_in.calls if words[0] == "sbatch"]) == 3
    logs = [(results / "logs" / f"cls_toy_run_fold{k}.log").read_text() for k in (0, 1)]
    assert [log.count(f"fold {k} epoch 1 ") for k, log in enumerate(logs)] == [1, 1]
    assert not list((results / "logs" / "slurm").glob("*/*.pkl"))
    # All is there: without --resume that is refused, with it nothing is submitted.
    again = start(arguments)
    _, error = again.communicate(timeout=100)
    assert again.returncode == 2
    assert "already holds fold0 (finished), fold1 (finished): pass --resume" in error
    assert "4 of 4  done: end: " in finish(start([*arguments, "--resume"]))
    assert len([words for words in stand_in.calls if words[0] == "sbatch"]) == 3


def test_the_script_submits_anchors_folds_and_explanations(stand_in: StandIn, cls_cohort: Cohort, tmp_path: Path):
    """What it would submit is written first, and nothing else is."""
    variables = {
        **os.environ,
        **{"FEATURES_DIR": str(cls_cohort.features_dir), "SPLITS_DIR": str(cls_cohort.splits_dir)},
        **{"DATASET": "toy", "N_CLUSTERS": "8", "EPOCHS": "2", "NUM_WORKERS": "0", "EXPLAIN": "1"},
        **{"ANCHORS_DIR": str(tmp_path / "anchors"), "RESULTS_DIR": str(tmp_path / "results"), "OMP_NUM_THREADS": "1"},
        **{"LAUNCHER": "slurm", "SLURM_OPTIONS": "time=20 cpus_per_task=1", "JOBS": "2"},
    }
    line = ["bash", "script/run_cls.sh", "--embed_dim", "16", "--no_figures"]

    def run(**more: str) -> str:
        ended = subprocess.run(line, cwd=ROOT, env=variables | more, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    written = run(DRY_RUN="yes")
    (script,) = (tmp_path / "results" / "logs" / "slurm").glob("*/submit.sh")
    assert f"wrote {script}, which submits 9 pieces" in written
    assert not (tmp_path / "anchors").exists()
    assert not stand_in.jobs
    lines = [line for line in run().splitlines() if " done: " in line]
    assert [line.split(": ")[1] for line in lines] == ["8 anchors", "mico_released", "mico_released, explain"]
    run_dir = tmp_path / "results" / "cls" / "toy" / "mico_released"
    assert {"summary.json", "fold0/predictions_test.csv", "fold1/explain/cases.csv"} <= contents(run_dir).keys()


@pytest.mark.usefixtures("real")
def test_a_real_slurm_requeues_preempts_and_ends(cls_cohort: Cohort, long_run: dict[str, bytes], tmp_path: Path):
    """One fold is put back by `scontrol requeue`, another makes room for a job of higher priority."""
    run_dir = tmp_path / "cls" / "toy" / "run"
    launched = start(cls_arguments(cls_cohort, tmp_path, *LONG, *SUBMIT))
    wait_until(lambda: epochs(run_dir / "fold0") >= 2)
    said("scontrol", "requeue", job_of(tmp_path, "cls_toy_run_fold0.fold"))
    wait_until(lambda: epochs(run_dir / "fold1") >= 2)
    said("sbatch", "-p", "high", "-c", "4", "-t", "1", "-o", "/dev/null", "--wrap", "sleep 1")
    out = finish(launched)
    # Both make room for it if the first has begun again by then.
    assert out.count("put back into the queue, and goes on from what it has saved") in (2, 3)
    assert files(run_dir) == long_run
    logs = [(tmp_path / "logs" / f"cls_toy_run_fold{k}.log").read_text() for k in (0, 1)]
    assert [log.count(f"fold {k} epoch 1 ") for k, log in enumerate(logs)] == [1, 1]
    assert ["stopping after this step" in log for log in logs] == [True, True]
