"""A real Slurm of one node, this machine, with all of its files in a folder of the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
_CONF = """
ClusterName=test
SlurmctldHost={host}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={place}/munge/socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=10
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeHostname={host} CPUs=4 State=UNKNOWN
PartitionName=low Nodes={host} Default=YES State=UP PriorityTier=1 GraceTime=60
PartitionName=high Nodes={host} State=UP PriorityTier=10
"""


@contextlib.contextmanager
def slurm_node() -> Iterator[dict[str, str]]:
    """Begin the three daemons; yields the variables of the environment by which commands find them."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    if missing or os.getuid() != 0:
        pytest.skip("no Slurm to begin here (as root, after apt-get install slurm-wlm munge)")
    place = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # munged wants folders that nobody else can write
    for name in ("state", "spool", "munge"):
        (place / name).mkdir()
    for folder in (place, place / "munge"):
        folder.chmod(0o755)
    key = place / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    (place / "slurm.conf").write_text(_CONF.format(place=place, host=host, ports=_free_ports()))
    environment = {**os.environ, "SLURM_CONF": str(place / "slurm.conf"), "PATH": _path()}
    places = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    words = [f"--{option}={place / 'munge' / name}" for option, name in places.items()]
    daemons = [["munged", "--foreground", "--force", *words], ["slurmctld", "-D"], ["slurmd", "-D"]]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for daemon in daemons:
            with (place / f"{daemon[0]}.out").open("wb") as out:
                more = ["-N", host] if daemon[0] == "slurmd" else []
                running.append(subprocess.Popen([*daemon, *more], env=environment, stdout=out, stderr=out))
        try:
            _wait_for(lambda: "idle" in _said(["sinfo", "-h", "-o", "%T"], environment), 60)
        except TimeoutError:
            pytest.fail(f"the node is not ready: {(place / 'slurmctld.log').read_text()[-2000:]}")
        yield environment
    finally:
        subprocess.run(["scancel", "-u", "root"], env=environment, check=False, capture_output=True)
        with contextlib.suppress(TimeoutError):  # while munged lives, without which no job can say that it has ended
            _wait_for(lambda: not _said(["squeue", "-h"], environment), 60)
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(place, ignore_errors=True)


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin"


def _free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("", 0))
        two.bind(("", 0))
        return [one.getsockname()[1], two.getsockname()[1]]


def _said(command: list[str], environment: dict[str, str]) -> str:
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return ended.stdout + ended.stderr


def _wait_for(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.2)
