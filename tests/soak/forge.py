"""A process that has imported everything and forks: commands then start at once, as processes of their own.

Read from stdin, a line of JSON for each process to start; written to stdout, a line for each that started and ended. A
forked process runs the script as `python SCRIPT ...` does, from its first line to the end of the interpreter.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def import_everything() -> None:
    """Import every module of the commands, so that a fork has nothing left to import."""
    for name in ("models", "datasets", "utils"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, name + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def become(request: dict[str, Any]) -> None:
    """Turn this fork into the process that was asked for, up to the script itself."""
    os.setsid()  # Ctrl-C in the terminal of the soak is not meant for it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(request.get("environment", {}))
    os.chdir(request["cwd"])
    for number, name in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = os.fdopen(0, closefd=False)  # as Python opens its own: the command may replace these objects
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", buffering=1, closefd=False)
    sys.argv = [request["script"], *request["arguments"]]
    if request.get("steps"):
        from tests.soak.moments import Moment, watch

        moment = request.get("moment")
        watch(Path(request["cwd"]), Path(request["steps"]), None if moment is None else Moment(**moment))


def serve() -> dict[str, Any] | None:
    """Start what is asked for and report what ends; returns the request in a fork, and None once stdin is closed."""
    running: dict[int, int] = {}
    pending = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.005 if running else None)
        if ready:
            read = os.read(0, 1 << 16)
            if not read:
                return None
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    return request
                running[pid] = request["number"]
                report(number=request["number"], pid=pid)
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                report(number=running.pop(pid), status=os.waitstatus_to_exitcode(status))


def report(**message: int) -> None:
    """One line of JSON to the process that asked."""
    os.write(1, (json.dumps(message) + "\n").encode())


def main() -> None:
    """Import, serve, and in a fork run the script; outside of every function call of the forge, as a script does."""
    import_everything()
    gc.freeze()  # forks share the memory of what is imported: the collector would write to all of it
    report(ready=1)
    request = serve()
    if request is None:
        return
    become(request)
    runpy.run_path(str(ROOT / request["script"]), run_name="__main__")


if __name__ == "__main__":
    main()
