"""What pieces of tests do; processes of their own import it."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.files.locks import locked
from utils.launch.piece import Ended, Piece


def piece(place: Path, label: str, work: Any, *arguments: Any, needs: tuple[str, ...] = (), **more: Any) -> Piece:
    """A piece that is a part of its own, with its log in a folder of tests."""
    log = place / f"{label}.log"
    return Piece(label, more.pop("part", label), "fold", partial(work, *arguments), "prog", log, needs, **more)


class Told:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.results: list[Ended] = []
        self.waits: list[tuple[str, str]] = []

    def started(self, piece: Piece) -> None:
        self.begun.append(piece.label)

    def ended(self, piece: Piece, result: Ended) -> None:
        self.results.append(result)

    def put_back(self, piece: Piece, why: str) -> None:
        self.waits.append((piece.label, why))

    def tick(self) -> None:
        pass


def say(*words: str) -> None:
    os.write(1, "\n".join([*words, ""]).encode())


def variables(*names: str) -> None:
    say(*(f"{name}={os.environ.get(name)}" for name in names))


def threads() -> None:
    import torch

    say(f"{torch.get_num_threads()} threads, in {os.environ['OMP_NUM_THREADS']}")


def fail(words: str) -> None:
    raise UserError(words)


def die(marks: Path, times: int) -> None:
    """Be killed, the first `times` times."""
    mark = marks / f"try{len(list(marks.glob('try*')))}"
    mark.touch()
    if int(mark.name[3:]) < times:
        os.kill(os.getpid(), signal.SIGKILL)
    say("went on")


def write_in(place: Path, seconds: float = 0.0) -> None:
    """Write a place whose lock another process may have."""
    with locked(place):
        time.sleep(seconds)
        with (place.parent / "written").open("a") as file:
            file.write(f"{os.getpid()}\n")


def wait_for_a_signal(mark: Path) -> None:
    """Work until a signal comes, which is told."""
    mark.touch()
    time.sleep(60)


def variables_while(seconds: float, *names: str) -> None:
    """Tell variables, and keep the place for a while."""
    time.sleep(seconds)
    variables(*names)
