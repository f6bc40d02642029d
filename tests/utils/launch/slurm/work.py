"""What pieces of tests do; their jobs import it by name, so that arguments are plain values."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.utils.launch import work
from utils.launch.piece import Piece
from utils.machine.interruption import at_boundaries


def piece(place: Path, label: str, function: Any, *arguments: Any, kind: str = "fold", **more: Any) -> Piece:
    """A piece that is a part of its own, with its log in `place/logs`."""
    needs = tuple(more.pop("needs", ()))
    return Piece(
        label, label, kind, partial(function, *arguments), "prog", place / "logs" / f"{label}.log", needs, **more
    )


def say(*words: str) -> None:
    work.say(*words)


def fail(words: str) -> None:
    work.fail(words)


def die(marks: str, times: int) -> None:
    work.die(Path(marks), times)


def write_in(place: str) -> None:
    work.write_in(Path(place))


def count(file: str, last: int, seconds: float = 0.05) -> None:
    """Count to `last`, from what the file says; a signal lets the number under way be written."""
    path = Path(file)
    number = int(path.read_text().split()[-1]) if path.exists() else 0
    with at_boundaries() as requests:
        while number < last:
            time.sleep(seconds)
            number += 1
            with path.open("a") as lines:
                lines.write(f"{number}\n")
            requests.check()
    work.say(f"counted to {number}")
