"""`main.py --launcher ray` on a cluster of two nodes and on this machine: the files of a serial run, whatever dies."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from datasets.synthetic.cohort import Cohort
from tests.commands.conftest import cls_arguments
from tests.commands.processes import LONG, epochs, files, finish, owner, start, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": os.urandom(16).hex(),
}
# Nodes are processes of this machine, each with one CPU. A line of its input kills the second node, or adds it again.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
more = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_log_monitor": False}
head = {"include_dashboard": False, "no_monitor": True, "temp_dir": sys.argv[1]}
cluster = Cluster(initialize_head=True, head_node_args={**more, **head})
node = None
print(cluster.address, flush=True)
for line in sys.stdin:
    if line == "kill\\n":
        cluster.remove_node(node, allow_graceful=False)
    else:
        node = cluster.add_node(**more)
    print(node.all_processes["raylet"][0].process.pid if line == "add\\n" else 0, flush=True)
cluster.shutdown()
"""


class TwoNodes:
    """A cluster of which one node can be killed.

    Attributes:
        address: of it.
    """

    def __init__(self, place: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER, place],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.address = self._answer()
        self._raylet = 0

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def _do(self, word: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self._answer()

    def complete(self) -> None:
        """Add the second node where it is not there."""
        if not self._raylet:
            self._raylet = int(self._do("add"))

    def kill_second(self) -> None:
        """As a machine that loses its power."""
        self._do("kill")
        self._raylet = 0

    def is_on_second(self, process: int) -> bool:
        """Whether a process was begun by the second node."""
        return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1]) == self._raylet

    def end(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def running_cluster() -> Iterator[TwoNodes]:
    place = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # of sockets, whose paths must be short
    cluster = TwoNodes(place)
    try:
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def cluster(running_cluster: TwoNodes) -> TwoNodes:
    running_cluster.complete()
    return running_cluster


def begin(arguments: Sequence[object]) -> subprocess.Popen[str]:
    """Begin `main.py` so that it finds the cluster, in a group of processes of its own."""
    return start(arguments, env=ENVIRONMENT, start_new_session=True)


def log_of(results: Path, k: int) -> str:
    return (results / "logs" / f"cls_toy_run_fold{k}.log").read_text()


def test_a_node_and_a_process_that_are_killed(
    cls_cohort: Cohort, cluster: TwoNodes, long_run: dict[str, bytes], tmp_path: Path
):
    """Each node has one fold; that of the lost node goes on where the other one is done."""
    run_dir = tmp_path / "cls" / "toy" / "run"
    ray = ("--launcher", "ray", "--ray_address", cluster.address)
    launched = begin(cls_arguments(cls_cohort, tmp_path, *LONG, *ray))
    wait_until(lambda: all(epochs(run_dir / f"fold{k}") >= 3 for k in (0, 1)))
    owners = [owner(run_dir / f"fold{k}") for k in (0, 1)]
    second = [cluster.is_on_second(process) for process in owners]
    assert sorted(second) == [False, True]
    os.kill(owners[second.index(False)], signal.SIGKILL)
    cluster.kill_second()
    out = finish(launched)
    assert "2 folds, 2 at a time" in out
    assert f"fold {second.index(True)}: its node died. It goes on once more from what it has saved" in out
    assert f"fold {second.index(False)}: its process was killed; was there enough memory? It goes on once more" in out
    assert [log_of(tmp_path, k).count(f"fold {k} epoch 1 ") for k in (0, 1)] == [1, 1]
    assert files(run_dir) == long_run


def test_a_driver_that_is_killed_and_two_that_go_on(
    cls_cohort: Cohort, cluster: TwoNodes, long_run: dict[str, bytes], tmp_path: Path
):
    """Its folds end with it; each is then trained once, and the driver that finds it taken waits."""
    run_dir = tmp_path / "cls" / "toy" / "run"
    ray = ("--launcher", "ray", "--ray_address", cluster.address)
    arguments = cls_arguments(cls_cohort, tmp_path, *LONG, *ray, "--resume")
    launched = begin(arguments)
    wait_until(lambda: all(epochs(run_dir / f"fold{k}") >= 2 for k in (0, 1)))
    owners = [owner(run_dir / f"fold{k}") for k in (0, 1)]
    launched.kill()
    launched.communicate()
    wait_until(lambda: not any(Path(f"/proc/{process}").exists() for process in owners))
    drivers = [begin(arguments), begin(arguments)]
    for driver in drivers:
        assert "2 of 2  done: " in finish(driver)
    assert files(run_dir) == long_run
    for k in (0, 1):
        assert log_of(tmp_path, k).count(f"fold {k} epoch 1 ") == 1
        assert log_of(tmp_path, k).count(f"fold {k} is finished") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_lets_folds_save_what_they_have(
    cls_cohort: Cohort, long_run: dict[str, bytes], tmp_path: Path, number: signal.Signals
):
    """With a Ray of the command itself, to whose processes the signal goes as well; one process then goes on."""
    run_dir = tmp_path / "cls" / "toy" / "run"
    arguments = cls_arguments(cls_cohort, tmp_path, *LONG)
    launched = begin([*arguments, "--launcher", "ray", "--jobs", "2"])
    wait_until(lambda: all(epochs(run_dir / f"fold{k}") >= 2 for k in (0, 1)))
    os.killpg(launched.pid, number)
    _, said = launched.communicate(timeout=120)
    assert launched.returncode == 128 + number
    assert said.splitlines()[-1].endswith("; the same command with --resume goes on from what is saved")
    assert all("stopping after this step" in log_of(tmp_path, k) for k in (0, 1))
    finish(begin([*arguments, "--resume"]))
    assert files(run_dir) == long_run


CHECK = """
import os, sys
from pathlib import Path
from utils.launch.piece import Piece
from utils.launch.ray_cluster import check_nodes, join_ray
from utils.machine.process import exit_code
place, own = Path(sys.argv[2]), Path(f"/proc/self/task/{os.getpid()}")  # which no other process sees
def check():
    join_ray(sys.argv[1])
    for folders in ((place,), (place, own)):
        check_nodes([Piece("a", "a", "fold", print, "prog", place / "logs" / "a.log", folders=folders)])
        print("seen", flush=True)
sys.exit(exit_code(check, "prog"))
"""


def test_a_node_that_does_not_see_the_features_is_named(cluster: TwoNodes, tmp_path: Path):
    command = [sys.executable, "-c", CHECK, cluster.address, str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "seen\n")
    assert re.fullmatch(
        r"prog: error: node \S+ \(\S+\) of the Ray cluster does not see /proc/self/task/\d+/\w+: features, folds, "
        r"anchors and results have to be on a disk that all nodes share, under the same path\n",
        ended.stderr,
    )
    assert list((tmp_path / "logs").iterdir()) == []


WITHOUT = """
import sys
sys.modules["ray"] = None  # as where it is not installed: nothing can import it
import main
sys.exit(main.main(main.parse_arguments(sys.argv[1:])))
"""


def test_without_the_package_the_other_launcher_works(cls_cohort: Cohort, long_run: dict[str, bytes], tmp_path: Path):
    arguments = cls_arguments(cls_cohort, tmp_path, *LONG, "--jobs", "2")
    command = [sys.executable, "-c", WITHOUT, *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    assert files(tmp_path / "cls" / "toy" / "run") == long_run


def test_an_address_without_a_cluster_is_said_before_any_work(cls_cohort: Cohort, tmp_path: Path):
    ray = ("--launcher", "ray", "--ray_address", "127.0.0.1:1")
    refused = begin(cls_arguments(cls_cohort, tmp_path / "results", *LONG, *ray))
    _, said = refused.communicate()
    assert refused.returncode == 2
    assert said.startswith("main.py: error: got --ray_address 127.0.0.1:1, and no cluster of Ray can be joined there")
    assert not (tmp_path / "results").exists()
