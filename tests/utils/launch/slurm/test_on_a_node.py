"""The time limit and a cancellation on a real Slurm of one node."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import ANY

import pytest

from tests.utils.launch.slurm import work
from tests.utils.launch.slurm.node import slurm_node
from tests.utils.launch.slurm.work import piece
from tests.utils.launch.work import Told
from utils.command.launch_options import LaunchOptions
from utils.launch.piece import Ended
from utils.launch.slurm.launcher import SlurmLauncher
from utils.launch.slurm.record import read_ended

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("slurm")]


@pytest.fixture(scope="module")
def node() -> Iterator[dict[str, str]]:
    with slurm_node() as environment:
        yield environment


def test_at_the_time_limit_jobs_go_on_from_what_they_have(
    node: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """By submitit and by the files of a dry run, side by side, with a third job that is cancelled.

    The limit is the shortest that Slurm has, a minute, and the warning comes within the first half of it.
    """
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, node[name])
    words = ("time=1", "signal_delay_s=55", "max_num_timeout=20", "cpus_per_task=1")
    by_submitit, by_hand = (
        [
            piece(tmp_path / name, "n", work.count, str(tmp_path / name / "n"), 60, 1.0),
            piece(tmp_path / name, "end", work.say, "made", kind="end", needs=["n"]),
        ]
        for name in ("submitit", "hand")
    )
    cancelled = piece(tmp_path / "submitit", "cancelled", work.count, str(tmp_path / "n"), 10_000, 1.0)
    writing = SlurmLauncher(LaunchOptions(launcher="slurm", slurm=words, dry_run=True), device="cpu")
    folder = writing.write_files(by_hand)
    subprocess.run(["bash", folder / "submit.sh"], check=True)
    launcher = SlurmLauncher(LaunchOptions(launcher="slurm", slurm=words), device="cpu")
    jobs = launcher.submit([by_submitit[0], cancelled, by_submitit[1]])
    while not (tmp_path / "n").exists():
        time.sleep(0.2)
    subprocess.run(["scancel", jobs["cancelled"]], check=True)
    told = Told()
    ended = launcher.run([by_submitit[0], cancelled, by_submitit[1]], told)
    counted, made = Ended("n", 0, "counted to 60", (), ANY), Ended("end", 0, "made", (), ANY)
    place = tmp_path / "submitit" / "logs" / "slurm"
    of_cancelled = f"its job {jobs['cancelled']} was cancelled; logs of jobs are in {place}"
    assert ended == [counted, Ended("cancelled", 1, of_cancelled), made]
    assert ("n", "its job was put back into the queue, and goes on from what it has saved") in told.waits
    while read_ended(by_hand[1]) is None:
        time.sleep(0.5)
    assert [read_ended(each) for each in by_hand] == [counted, made]
    for name in ("submitit", "hand"):
        assert [int(line) for line in (tmp_path / name / "n").read_text().split()] == list(range(1, 61))
        assert "stopping after this step" in (tmp_path / name / "logs" / "n.log").read_text()
