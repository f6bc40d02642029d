"""A piece of work that has a process of its own, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

HELD = 75  # exit code of a piece whose place another process writes; EX_TEMPFAIL of sysexits.h


@dataclass(frozen=True)
class Piece:
    """A piece of work.

    Attributes:
        label: what it is, for a reader; each piece of a launch has another one.
        part: the run, or the anchors, that it is a piece of: pieces of one part are told of in one line.
        kind: `anchors`, `begin`, `fold` or `end`: pieces of a kind take about as long.
        work: what is done; it can be pickled, and done again after it was broken off.
        prog: the command that its messages name.
        log: where its output goes.
        needs: the labels of the pieces that have to end well before.
        places: what it writes, of which another process may have the locks (`utils.files.locks`).
        folders: what it reads, and below which it writes: other machines have to see them.
    """

    label: str
    part: str
    kind: str
    work: Callable[[], object]
    prog: str
    log: Path
    needs: tuple[str, ...] = ()
    places: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Ended:
    """How a piece, or a part of several pieces, ended.

    Attributes:
        label: of it.
        status: its exit code, 0 = success.
        said: the last line of its log.
        warnings: the lines of its log that begin with `warning: `.
        seconds: what it took.
    """

    label: str
    status: int
    said: str
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0


class Watcher(Protocol):
    """What a launcher tells while it works."""

    def started(self, piece: Piece) -> None:
        """A piece begins, or begins again."""

    def ended(self, piece: Piece, result: Ended) -> None:
        """A piece has ended, or is not run at all."""

    def put_back(self, piece: Piece, why: str) -> None:
        """A piece that was to run, or ran, has to wait: `why` in words."""

    def tick(self) -> None:
        """Time goes by."""


class Launcher(Protocol):
    """Runs pieces of runs.

    Attributes:
        n_slots: how many pieces run at a time.
        device: `--device` of its pieces: `cpu`, or `cuda` where each sees the GPU that it was given.
        cpus: how many CPUs the user gave each piece; None where pieces share the cores of this machine, or have those
            of their job.
        own_memory: whether each piece has memory of its own; otherwise those that run share that of this machine.
    """

    cpus: int | None
    own_memory: bool
    n_slots: int
    device: str

    def run(self, pieces: Sequence[Piece], watcher: Watcher) -> list[Ended]:
        """Run the pieces, each after those that it needs, and return how each ended."""
