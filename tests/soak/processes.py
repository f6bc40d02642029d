"""Commands as processes: warm ones, forked from the forge, and cold ones, a new interpreter each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.soak.moments import Moment

ROOT = Path(__file__).parents[2]
HANGS = 120.0  # seconds after which a command on a tiny cohort counts as one that never ends
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def environment(threads: int = 1) -> dict[str, str]:
    """The environment of every command: one thread each, where nothing else is asked for."""
    return {**os.environ, **dict.fromkeys(THREADS, str(threads)), "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Call:
    """A command line: a script of this repository and its arguments."""

    script: str
    arguments: tuple[str, ...]

    @classmethod
    def of(cls, script: str, *arguments: object) -> Call:
        """A call with arguments of any kind."""
        return cls(script, tuple(str(argument) for argument in arguments))

    def plus(self, *arguments: object) -> Call:
        """The same call with more arguments."""
        return Call.of(self.script, *self.arguments, *arguments)

    def __str__(self) -> str:
        return " ".join((self.script, *self.arguments))


@dataclass(frozen=True)
class Ended:
    """How a command ended; a negative status is the signal that killed it."""

    call: Call
    status: int
    out: str
    err: str


@dataclass
class Process:
    """A command that runs; its output goes to files."""

    call: Call
    out: Path
    err: Path
    pid: int = 0
    status: int | None = None
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def send(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        self.started.wait()
        if not self.ended.is_set():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait(self, timeout: float = HANGS) -> Ended:
        """How it ended; one that never does is killed, and its status is that of SIGKILL."""
        if not self.ended.wait(timeout):
            self.send(signal.SIGKILL)
            self.ended.wait()
            self.err.write_text(f"{self.err.read_text()}\nthe soak killed it after {timeout:.0f} s\n")
        assert self.status is not None
        return Ended(self.call, self.status, _text(self.out), _text(self.err))


class Workshop:
    """Starts commands, warm or cold, in folders below one folder; a context manager that ends with all of them."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.processes: dict[int, Process] = {}
        self.ready = threading.Event()
        self.broken = ""

    def __enter__(self) -> Workshop:
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.forge = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.forge"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        self.ready.wait()
        if self.broken:
            raise RuntimeError(self.broken)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            if not process.ended.is_set():
                process.send(signal.SIGKILL)
        assert self.forge.stdin is not None
        self.forge.stdin.close()
        self.forge.wait()

    def start(self, call: Call, cwd: Path, *, moment: Moment | None = None, steps: Path | None = None) -> Process:
        """Fork a command from the forge; `steps` receives what it changes in `cwd`, and it dies at its moment."""
        if moment is not None and steps is None:
            steps = self.scratch / "steps"
        number, process = self._new(call)
        request: dict[str, Any] = {
            "number": number,
            "script": call.script,
            "arguments": call.arguments,
            "cwd": str(cwd),
            "out": str(process.out),
            "err": str(process.err),
            "steps": None if steps is None else str(steps),
            "moment": None if moment is None else moment.to_json(),
        }
        assert self.forge.stdin is not None
        self.forge.stdin.write((json.dumps(request) + "\n").encode())
        self.forge.stdin.flush()
        process.started.wait()
        return process

    def start_cold(self, call: Call, cwd: Path, *, threads: int = 1) -> Process:
        """Start a command as a new interpreter, imports and all."""
        _, process = self._new(call)
        with process.out.open("w") as out, process.err.open("w") as err:
            popen = subprocess.Popen(
                [sys.executable, str(ROOT / call.script), *call.arguments],
                cwd=cwd,
                env=environment(threads),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        process.pid = popen.pid
        process.started.set()

        def watch() -> None:
            process.status = popen.wait()
            process.ended.set()

        threading.Thread(target=watch, daemon=True).start()
        return process

    def run(self, call: Call, cwd: Path, **more: Any) -> Ended:
        """Run a command to its end."""
        return self.start(call, cwd, **more).wait()

    def _new(self, call: Call) -> tuple[int, Process]:
        number = len(self.processes)
        process = Process(call, self.scratch / f"{number}.out", self.scratch / f"{number}.err")
        self.processes[number] = process
        return number, process

    def _listen(self) -> None:
        assert self.forge.stdout is not None
        for line in self.forge.stdout:
            message = json.loads(line)
            if "ready" in message:
                self.ready.set()
                continue
            process = self.processes[message["number"]]
            if "pid" in message:
                process.pid = message["pid"]
                process.started.set()
            else:
                process.status = message["status"]
                process.ended.set()
        if not self.ready.is_set():
            self.broken = "the forge could not import the commands: see its error above"
            self.ready.set()


def wait_for(condition: Any, timeout: float = HANGS, pause: float = 0.002) -> bool:
    """Wait until `condition()` holds; whether it did in time."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def failed(ended: Sequence[Ended]) -> list[str]:
    """The commands that did not end well, with what they said."""
    return [f"exit {one.status} of {one.call}\n{one.err}" for one in ended if one.status != 0]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="backslashreplace") if path.exists() else ""
