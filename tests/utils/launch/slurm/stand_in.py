"""A stand-in for Slurm: `sbatch`, `squeue`, `srun`, `scontrol` and `scancel` that ask a thread of the tests.

It keeps what the launcher relies on: arrays with a limit, a job of which may have the number of all, `afterany`, the
signal before the time limit, which goes to the steps of a job alone, SIGTERM at preemption and cancellation, requeues
under the same number, and what it refuses.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("sbatch", "squeue", "srun", "scontrol", "scancel")
KILL_WAIT = 15.0  # seconds between SIGTERM and SIGKILL


@dataclass
class Job:
    name: str  # 12, or 12_3
    script: Path
    options: dict[str, str]
    environment: dict[str, str]
    folder: str
    state: str = "PENDING"
    restarts: int = 0
    requeued: bool = False
    batch: subprocess.Popen[bytes] | None = None
    steps: list[int] = field(default_factory=list)

    @property
    def array(self) -> str:
        return self.name.split("_")[0]

    def signal(self, number: int) -> None:
        """As `scancel --signal`: the steps, not the script."""
        for step in self.steps:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(step, number)


class StandIn:
    """The controller.

    Args:
        place: for its files; `place/bin` is what PATH begins with.
    """

    def __init__(self, place: Path) -> None:
        self.bin, self.socket, self._scripts = place / "bin", place / "socket", place
        self.jobs: dict[str, Job] = {}
        self.calls: list[list[str]] = []
        self.refusal = ""
        self.silent = False
        self._number = 100
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self.bin.mkdir(parents=True)
        for program in PROGRAMS:
            path = self.bin / program
            path.write_text(f'#!/bin/sh\nexec {sys.executable} -S {__file__} {self.socket} {program} "$@"\n')
            path.chmod(0o755)
        controller = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                request = json.loads(self.rfile.readline())
                self.wfile.write(json.dumps(controller.answer(**request)).encode())

        self._server = socketserver.ThreadingUnixStreamServer(str(self.socket), Handler)
        self._server.daemon_threads = True
        self._threads = [threading.Thread(target=self._server.serve_forever), threading.Thread(target=self._live)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._ended.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()
        for job in self.jobs.values():
            job.signal(signal.SIGKILL)
            if job.batch is not None:
                job.batch.kill()
                job.batch.wait()

    def answer(self, program: str, words: list[str], environment: dict[str, str], folder: str) -> tuple[int, str, str]:
        with self._lock:
            self.calls.append([program, *words])
            if self.silent:
                return 1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
            return getattr(self, f"_{program}")(words, environment, folder)

    def _sbatch(self, words: Sequence[str], environment: dict[str, str], folder: str) -> tuple[int, str, str]:
        text = Path(folder, words[-1]).read_text()
        lines = re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", text, re.MULTILINE)
        options = dict(lines)
        options |= dict(re.findall(r"--([\w-]+)=(\S+)", " ".join(words[:-1])))
        if self.refusal and self.refusal in options.values():
            return (
                1,
                "",
                f"sbatch: error: Batch job submission failed: Invalid partition name specified: {self.refusal}",
            )
        self._number += 1
        script = self._scripts / f"{self._number}.sh"  # as they are now, whatever becomes of the file
        script.write_text(text)
        names = [str(self._number)]
        if "array" in options:
            first, last = map(int, options["array"].split("%")[0].split("-"))
            names = [f"{self._number}_{k}" for k in range(first, last + 1)]
        for name in names:
            self.jobs[name] = Job(name, script, options, environment, folder)
        said = f"{self._number}\n" if "--parsable" in words else f"Submitted batch job {self._number}\n"
        return 0, said, ""

    def _squeue(self, words: Sequence[str], *more: object) -> tuple[int, str, str]:
        living = [job for job in self.jobs.values() if job.state in ("PENDING", "RUNNING", "COMPLETING")]
        if "-j" in words:
            name = words[words.index("-j") + 1]
            return 0, "".join(f"{job.state}\n" for job in living if name in (job.name, job.array)), ""
        return 0, "".join(f"{job.name} {job.state}\n" for job in living), ""

    def _srun(self, words: Sequence[str], environment: dict[str, str], *more: object) -> tuple[int, str, str]:
        self.jobs[environment["STAND_IN_JOB"]].steps.append(int(words[0]))
        return 0, "", ""

    def _scontrol(self, words: Sequence[str], *more: object) -> tuple[int, str, str]:
        name = words[-1]
        if words[0] == "requeue":
            for job in self.jobs.values():
                if name in (job.name, job.array):
                    self.requeue(job.name)
            return 0, "", ""
        job = self.jobs[name]
        return 0, f"JobId={name} JobName=x JobState={job.state} Reason=None\n", ""

    def _scancel(self, words: Sequence[str], *more: object) -> tuple[int, str, str]:
        for job in self.jobs.values():
            if job.name in words or job.array in words:
                self.cancel(job.name)
        return 0, "", ""

    def requeue(self, name: str) -> None:
        with self._lock:
            if self.jobs[name].state != "RUNNING":
                return
            self.jobs[name].requeued = True
            self._end(name)

    def cancel(self, name: str) -> None:
        with self._lock:
            job = self.jobs[name]
            if job.state == "PENDING":
                job.state = "CANCELLED"
            elif job.state == "RUNNING":
                self._end(name)

    def warn(self, name: str) -> None:
        """Send the signal that the job has asked for, as some time before its time limit."""
        with self._lock:
            job = self.jobs[name]
            job.signal(getattr(signal, f"SIG{job.options['signal'].split('@')[0]}"))

    def preempt(self, name: str) -> None:
        """Leave a job some time, in which it is running, before it would be requeued; as Slurm it forgets the second
        where the job ends by itself."""
        with self._lock:
            self.jobs[name].signal(signal.SIGTERM)

    def _end(self, name: str) -> None:
        job = self.jobs[name]
        job.state = "COMPLETING"
        # After the answer: the job itself may have asked.
        threading.Timer(0.2, lambda begun=job.batch: job.batch is begun and job.signal(signal.SIGTERM)).start()
        threading.Timer(KILL_WAIT, lambda begun=job.batch: job.batch is begun and self._kill(job)).start()

    def _kill(self, job: Job) -> None:
        with self._lock:
            job.signal(signal.SIGKILL)
            if job.batch is not None:
                job.batch.kill()

    def _live(self) -> None:
        while not self._ended.wait(0.05):
            with self._lock:
                for job in list(self.jobs.values()):
                    if job.state == "PENDING" and self._may_begin(job):
                        self._begin(job)
                    elif job.batch is not None and job.state in ("RUNNING", "COMPLETING"):
                        self._look_at(job)

    def _may_begin(self, job: Job) -> bool:
        after = job.options.get("dependency", "afterany").split(":")[1:]
        living = ("PENDING", "RUNNING", "COMPLETING")
        if any(other.array in after and other.state in living for other in self.jobs.values()):
            return False
        limit = int(job.options.get("array", "0%1024").split("%")[1])
        beside = [other for other in self.jobs.values() if other.array == job.array]
        return sum(other.state in ("RUNNING", "COMPLETING") for other in beside) < limit

    def _begin(self, job: Job) -> None:
        names = {"SLURM_JOB_ID": job.name, "STAND_IN_JOB": job.name, "SLURM_RESTART_COUNT": str(job.restarts)}
        if "_" in job.name:
            array, index = job.name.split("_")
            names |= {"SLURM_ARRAY_JOB_ID": array, "SLURM_ARRAY_TASK_ID": index, "SLURM_JOB_ID": array}
        output = job.options["output"].replace("%A", job.array).replace("%a", job.name.split("_")[-1])
        with Path(output.replace("%j", job.name)).open("ab") as file:
            job.batch = subprocess.Popen(
                ["bash", job.script],
                cwd=job.folder,
                env={**job.environment, **names},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        job.state, job.steps = "RUNNING", []

    def _look_at(self, job: Job) -> None:
        assert job.batch is not None
        status = job.batch.poll()
        if status is not None:
            job.batch.wait()
            if job.requeued:
                job.state, job.requeued, job.restarts = "PENDING", False, job.restarts + 1
            else:
                job.state = "CANCELLED" if job.state == "COMPLETING" else "FAILED" if status else "COMPLETED"


def ask(socket: str, program: str, words: Sequence[str]) -> tuple[int, str, str]:
    import socket as sockets

    request = {"program": program, "words": list(words), "environment": dict(os.environ), "folder": str(Path.cwd())}
    with sockets.socket(sockets.AF_UNIX) as connection:
        connection.connect(socket)
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as answer:
            status, out, err = json.load(answer)
    return status, out, err


def srun(socket: str, words: Sequence[str]) -> None:
    """Become the command, in a group of processes of its own, with its output where it is to go."""
    rest = list(words)
    while rest and rest[0].startswith("--"):
        option = rest.pop(0)
        if option == "--output":
            job = os.environ["STAND_IN_JOB"]
            path = rest.pop(0).replace("%j", job).replace("%t", "0").replace("%A", job.split("_")[0])
            file = os.open(path.replace("%a", job.split("_")[-1]), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.dup2(file, 1)
            os.dup2(file, 2)
    os.setpgid(0, 0)
    ask(socket, "srun", [str(os.getpid()), *rest])
    os.execvp(rest[0], rest)


def main(socket: str, program: str, *words: str) -> int:
    if program == "srun":
        srun(socket, words)
    status, out, err = ask(socket, program, words)
    sys.stdout.write(out)
    sys.stderr.write(err)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
