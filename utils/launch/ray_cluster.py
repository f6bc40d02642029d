"""A cluster of Ray: begun here or joined, what its nodes have, what a piece takes of it, and what each node sees."""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import socket
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from utils.command.launch_options import ALL, CPU, LaunchOptions
from utils.errors import UserError
from utils.launch.piece import Piece
from utils.launch.process import ROOT, environment, signals_blocked
from utils.launch.ray_worker import missing
from utils.launch.slots import VISIBLE

OBJECT_STORE = 80 * 2**20  # bytes; pieces and exit codes are small, and Ray refuses less than 75 MiB
_PATIENCE = 10.0  # seconds in which the head of a cluster answers
_RESOLUTION = 10_000  # Ray counts GPUs in these parts


@dataclass(frozen=True)
class Share:
    """What a piece takes of a node: so many CPUs, and a part of a GPU, which is 0 on the CPU."""

    cpus: int
    gpu: float

    @property
    def device(self) -> str:
        """`--device` of the piece."""
        return "cuda" if self.gpu else CPU


def start_ray(n_cpus: int, gpus: Sequence[str]) -> None:
    """Begin a Ray of this machine, which ends with this process.

    Args:
        n_cpus: that it gives to pieces.
        gpus: that it gives to pieces, as `CUDA_VISIBLE_DEVICES` names them.
    """
    visible = {VISIBLE: ",".join(gpus)} if gpus else {}
    # Its processes are of the group of this one. A signal to the group (`timeout`, a terminal that closes) is for the
    # launcher, which lets the pieces save what they have: without Ray they would be lost.
    with signals_blocked(), environment(RAY_USAGE_STATS_ENABLED="0", **visible), _handlers_kept():
        ray.init(
            address="local",
            num_cpus=n_cpus,
            num_gpus=len(gpus),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )


def join_ray(address: str) -> None:
    """Join a cluster of which this machine is a node.

    Raises:
        UserError: where no cluster answers there, or one of another version of Ray or Python.
    """
    host, _, port = address.rpartition(":")
    try:
        if host:
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()  # Ray itself would try for minutes
        with _handlers_kept():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        said = str(error).strip().splitlines()
        raise UserError(
            f"got --ray_address {address}, and no cluster of Ray can be joined there ({said[0] if said else error!r}): "
            "run ray start on its nodes, of which this machine has to be one, and give the address that it prints, or "
            "auto"
        ) from error


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """SIGTERM does after this block what it did before, whatever Ray makes of it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def nodes_of_cluster() -> list[dict[str, float]]:
    """What each living node has: `CPU` and `GPU`, where there are any."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def share_of_cluster(options: LaunchOptions, device: str, nodes: Sequence[Mapping[str, float]]) -> Share:
    """What a piece takes of the nodes of a cluster: a part of a GPU if they have any, unless the CPU is asked for.

    Raises:
        UserError: for GPUs that no node has, options that do not go with the device, and pieces without room.
    """
    on_cpu = options.gpus == (CPU,) or device == CPU or options.jobs is not None
    wanted = options.gpus == (ALL,) or options.jobs_per_gpu is not None or device == "cuda"
    if wanted and on_cpu:
        given = f"--device {device}" if device != "auto" else f"--gpus {CPU}" if options.gpus else "--jobs"
        raise UserError(f"got {given} and options for GPUs, expected one of them")
    if device not in ("auto", CPU, "cuda"):
        raise UserError(f"got --device {device} with --ray_address, where Ray chooses the GPU: expected cuda")
    has_gpu = any(node.get("GPU", 0) >= 1 for node in nodes)
    if wanted and not has_gpu:
        raise UserError("got options for GPUs, but no node of the Ray cluster has one: give --gpus cpu")
    share = Share(options.ray_cpus or 1, part_of_gpu(options.jobs_per_gpu or 1) if has_gpu and not on_cpu else 0.0)
    if not room_for(share, nodes):
        what = f"{share.cpus} CPUs" + (" and a GPU" if share.gpu else "")
        raise UserError(f"no node of the Ray cluster has {what} for a piece: give fewer by --ray_cpus")
    return share


def part_of_gpu(jobs: int) -> float:
    """What each of so many pieces on one GPU takes of it; Ray rounds 1 / 7 up, and would place six.

    >>> part_of_gpu(1), part_of_gpu(2), part_of_gpu(7)
    (1.0, 0.5, 0.1428)
    """
    return math.floor(_RESOLUTION / jobs) / _RESOLUTION


def room_for(share: Share, nodes: Iterable[Mapping[str, float]]) -> int:
    """How many pieces run at a time on these nodes."""

    def room_on(node: Mapping[str, float]) -> int:
        by_cpu = int(node.get("CPU", 0) // share.cpus)
        # A piece has a part of one GPU.
        return min(by_cpu, int(node.get("GPU", 0)) * int(1 / share.gpu + 1e-9)) if share.gpu else by_cpu

    return sum(map(room_on, nodes))


def check_nodes(pieces: Sequence[Piece]) -> None:
    """Check that each node sees what the pieces read and write.

    Raises:
        UserError: with the node, and the first path that it does not see.
    """
    logs = dict.fromkeys(piece.log.parent for piece in pieces)
    folders = dict.fromkeys(folder for piece in pieces for folder in piece.folders if folder.exists())
    with contextlib.ExitStack() as marks:
        paths = [str(next(folder.iterdir(), folder) if folder.is_dir() else folder) for folder in folders]
        for log in logs:  # where this process writes, a file that cannot have been there
            log.mkdir(parents=True, exist_ok=True)
            paths.append(marks.enter_context(tempfile.NamedTemporaryFile(prefix=".seen_by_nodes_", dir=log)).name)
        look = ray.remote(num_cpus=0, max_retries=0)(missing)
        for node in ray.nodes():
            if not node["Alive"]:
                continue
            name = f"node {node['NodeManagerHostname']} ({node['NodeManagerAddress']}) of the Ray cluster"
            where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            try:
                unseen = ray.get(look.options(scheduling_strategy=where).remote(paths, str(Path.cwd())))
            except RayError as error:
                last = str(error).strip().splitlines()[-1]
                raise UserError(
                    f"{name} can do no piece ({last}): expected this repository with its .venv at {ROOT}, and the "
                    f"folder {Path.cwd()}, on every node"
                ) from error
            if unseen:
                raise UserError(
                    f"{name} does not see {unseen[0]}: features, folds, anchors and results have to be on a disk that "
                    "all nodes share, under the same path"
                )
