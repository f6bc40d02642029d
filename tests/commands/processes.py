"""Commands in processes of their own that tests begin, watch, kill and wait for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.soak.comparison import contents

ROOT = Path(__file__).parents[2]
PROTOCOL = ("--dropout", "0.3", "--max_patches", "20", "--weighted_sampling", "--batch_size", "2", "--run_name", "run")
LONG = (*PROTOCOL, "--epochs", "40", "--patience", "40")


def start(
    arguments: Sequence[object], threads: int | None = 1, *, command: str = "main.py", **more: Any
) -> subprocess.Popen[str]:
    """Begin a command of this repository; `more` are options of Popen."""
    number = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    return subprocess.Popen(
        [sys.executable, command, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **number, **more.pop("env", {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    return out


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def epochs(place: Path) -> int:
    return max(0, (place / "log.csv").read_text().count("\n") - 1) if (place / "log.csv").exists() else 0


def owner(place: Path) -> int:
    """The process that has the lock of a fold."""
    return int(json.loads((place.parent / f".{place.name}.lock").read_text())["process"])


def files(run_dir: Path) -> dict[str, bytes]:
    """All that the run left behind; `run.json` names the folder of the results."""
    found = contents(run_dir)
    assert json.loads(found.pop("run.json"))["folds"] == [0, 1]
    return found
