"""The launcher on Ray: pieces as its tasks, on this machine or on the nodes of a cluster."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.command.launch_options import LaunchOptions
from utils.errors import UserError
from utils.launch.local import MEMORY, PATIENCE
from utils.launch.piece import Ended, Piece, Watcher
from utils.launch.process import signals_blocked
from utils.launch.schedule import INTERRUPTED, Exit, run_in_order
from utils.launch.slots import slots_of
from utils.machine.cpu_threads import THREADS, cores
from utils.machine.interruption import Terminated

if TYPE_CHECKING:
    from utils.launch.ray_cluster import Share

RETRIES = 1  # of a piece whose process or node dies, where --ray_retries is not given


def require_ray() -> None:
    """Check that the package ray, which is optional, is installed.

    Raises:
        UserError: with how to install it.
    """
    if find_spec("ray") is None:
        raise UserError(
            "--launcher ray needs the package ray, which is not installed: run bash script/setup.sh --with-extras"
        )


class RayLauncher:
    """See `utils.launch.piece.Launcher`. Without an address, Ray is begun on this machine when pieces run.

    Args:
        options: the address of a cluster, what a piece takes of it, and how many pieces at a time.
        device: `--device` of the runs.

    Raises:
        UserError: without Ray, as `slots_of` does on this machine, and as `join_ray` and `share_of_cluster` on others.
    """

    own_memory = False

    def __init__(self, options: LaunchOptions, *, device: str) -> None:
        require_ray()
        from utils.launch.ray_cluster import Share, join_ray, nodes_of_cluster, part_of_gpu, room_for, share_of_cluster

        self._tries = 1 + (RETRIES if options.ray_retries is None else options.ray_retries)
        self._address, self.cpus = options.ray_address, options.ray_cpus
        self._gpus: list[str] = []
        if self._address is None:
            slots = slots_of(options, device=device)
            self._gpus = list(dict.fromkeys(slot.gpu for slot in slots if slot.gpu is not None))
            fills = not self._gpus and options.jobs is None
            here = max(1, cores() // (options.ray_cpus or 1)) if fills else len(slots)
            gpu = part_of_gpu(len(slots) // len(self._gpus)) if self._gpus else 0.0
            self._share = Share(options.ray_cpus or max(1, cores() // here), gpu)
            self._limit: Callable[[], int] = lambda: here
        else:
            join_ray(self._address)
            self._share = share_of_cluster(options, device, nodes_of_cluster())
            most = options.jobs or 1024
            self._limit = lambda: min(most, room_for(self._share, nodes_of_cluster()))
        self.n_slots, self.device = self._limit(), self._share.device

    def run(self, pieces: Sequence[Piece], watcher: Watcher) -> list[Ended]:
        """Run the pieces as `run_in_order` does, once: Ray is left, or ended, behind them.

        Raises:
            UserError: where a node does not see what the pieces read and write.
            Terminated: after a signal. The pieces that run have been interrupted, and have saved what they had; a
                second one kills those that do not end within 15 seconds.
        """
        import ray

        from utils.launch.ray_cluster import check_nodes, start_ray

        try:
            if self._address is None:
                start_ray(self.n_slots * self._share.cpus, self._gpus)
            else:
                check_nodes(pieces)
            return run_in_order(pieces, _Tasks(self._share, self._limit), watcher, tries=self._tries)
        finally:
            ray.shutdown()


class _Tasks:
    """See `utils.launch.schedule.Workers`: each piece a task, in a process that does no other."""

    def __init__(self, share: Share, limit: Callable[[], int]) -> None:
        import ray

        from utils.launch.ray_worker import compute

        self._limit, self._threads = limit, os.environ.get(THREADS, str(share.cpus))
        self._compute = ray.remote(num_cpus=share.cpus, num_gpus=share.gpu, max_calls=1, max_retries=0)(compute)
        self._running: dict[concurrent.futures.Future[Any], tuple[Piece, Any]] = {}

    def has_room(self) -> bool:
        return len(self._running) < self._limit()

    def start(self, piece: Piece) -> None:
        from ray import cloudpickle  # functions of a command that is called as a file have no name elsewhere

        with signals_blocked():
            task = self._compute.remote(cloudpickle.dumps(piece), str(Path.cwd()), self._threads)
            self._running[task.future()] = piece, task

    def wait(self, seconds: float) -> list[Exit]:
        first = concurrent.futures.FIRST_COMPLETED
        done = concurrent.futures.wait(self._running, timeout=seconds, return_when=first).done
        return [_exit_of(self._running.pop(future)[0], future) for future in done]

    def stop(self, number: int) -> None:
        # Ray knows one signal, which it raises as an interrupt in the task.
        try:
            self._cancel(force=False)
            concurrent.futures.wait(self._running)
        except Terminated:
            self._cancel(force=False)
            concurrent.futures.wait(self._running, timeout=PATIENCE)
            self._cancel(force=True)

    def _cancel(self, *, force: bool) -> None:
        import ray

        with signals_blocked():
            for future, (_, task) in self._running.items():
                if not future.done():
                    ray.cancel(task, force=force)


def _exit_of(piece: Piece, future: concurrent.futures.Future[Any]) -> Exit:
    """How a task ended; what Ray itself says of it is not in the log of the piece."""
    from ray.exceptions import NodeDiedError, RayTaskError, WorkerCrashedError

    error = future.exception()
    if error is None:
        status: int = future.result()
        if status in INTERRUPTED:  # not by this process
            return Exit(piece, None, "it was interrupted on its node, which may be shutting down.")
        return Exit(piece, status)
    if isinstance(error, RayTaskError):
        return Exit(piece, 1, str(error).strip().splitlines()[-1])
    if isinstance(error, NodeDiedError):
        return Exit(piece, None, "its node died.")
    if isinstance(error, WorkerCrashedError):
        return Exit(piece, None, f"its process was killed; {MEMORY}")
    return Exit(piece, None, f"Ray ended it ({type(error).__name__}).")
