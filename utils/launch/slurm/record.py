"""What jobs and commands know of one another: files below `RESULTS/logs/slurm`.

jobs.json                 the pieces that are in the queue, and the job of each; written by commands, under its lock
state/NAME.started.json   when and where a piece began; written by its job
state/NAME.ended.json     how it ended; written by its job. There is none of a piece that is to go on
DATE/                     what one command submitted: pieces as JSON, and the files and logs of submitit
"""

from __future__ import annotations

import dataclasses
import os
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from utils.files.atomic import write_json
from utils.files.json_object import read_json_object
from utils.launch.piece import Ended, Piece
from utils.launch.piece_file import digest_of, name_of

_ADVICE = "remove it once no job of this launch is in the queue"


@dataclass(frozen=True)
class Submitted:
    """A piece in the queue: its job, and the digest of what comes out of it."""

    job: str
    digest: str


def folder_of(piece: Piece) -> Path:
    """`RESULTS/logs/slurm`, beside the log of a piece."""
    return piece.log.parent / "slurm"


def new_folder(record: Path) -> Path:
    """A new folder for what one command submits."""
    name = datetime.now().astimezone().strftime("%Y-%m-%d_%H%M%S")
    for number in range(1000):
        folder = record / (f"{name}_{number}" if number else name)
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise FileExistsError(f"{record / name} and a thousand others are there")


def read_jobs(record: Path) -> dict[str, Submitted]:
    """The pieces that were in the queue when a command last wrote them, by name.

    Raises:
        UserError: for a file that cannot be read.
    """
    path = record / "jobs.json"
    if not path.exists():
        return {}
    pieces = read_json_object(path, advice=_ADVICE)["pieces"]
    return {name: Submitted(each["job"], each["digest"]) for name, each in pieces.items()}


def write_jobs(record: Path, jobs: Mapping[str, Submitted]) -> None:
    """Write the pieces that are in the queue."""
    write_json(record / "jobs.json", {"pieces": {name: dataclasses.asdict(each) for name, each in jobs.items()}})


def write_started(piece: Piece) -> None:
    """Write that a piece begins, or begins again."""
    values = {"label": piece.label, "since": time.time(), "host": socket.gethostname(), "process": os.getpid()}
    write_json(_state(folder_of(piece), name_of(piece), "started"), values)


def read_started(piece: Piece) -> float | None:
    """When a piece last began; None for one that has not."""
    record = _read(_state(folder_of(piece), name_of(piece), "started"))
    return None if record is None else float(record["since"])


def write_ended(piece: Piece, ended: Ended) -> None:
    """Write how a piece ended."""
    values = {**dataclasses.asdict(ended), "digest": digest_of(piece)}
    write_json(_state(folder_of(piece), name_of(piece), "ended"), values)


def read_ended(piece: Piece, *, of_same_work: bool = False) -> Ended | None:
    """How a piece ended; None while it has not.

    Args:
        piece: of a command.
        of_same_work: whether the result of other settings counts for none.
    """
    record = _read(_state(folder_of(piece), name_of(piece), "ended"))
    if record is None or (of_same_work and record["digest"] != digest_of(piece)):
        return None
    return Ended(piece.label, record["status"], record["said"], tuple(record["warnings"]), record["seconds"])


def ended_well(folder: Path, name: str) -> bool:
    """Whether the piece of this name has ended, and with success."""
    record = _read(_state(folder, name, "ended"))
    return record is not None and record["status"] == 0


def forget(pieces: Sequence[Piece]) -> None:
    """Remove what is known of pieces that are done again."""
    for piece in pieces:
        for what in ("started", "ended"):
            _state(folder_of(piece), name_of(piece), what).unlink(missing_ok=True)


def remove_private_files(folder: Path, needed_by: Collection[str]) -> None:
    """Remove what only submitit reads, but for these jobs: its pickles, and its second names of files for `sbatch`."""
    for path in [*folder.glob("*/*.pkl"), *folder.glob("*/.submission_file_*")]:
        if path.name.split("_submitted")[0].split("_0_result")[0] not in needed_by:
            path.unlink(missing_ok=True)


def _state(folder: Path, name: str, what: str) -> Path:
    return folder / "state" / f"{name}.{what}.json"


def _read(path: Path) -> dict[str, Any] | None:
    with suppress(OSError):  # a disk of several machines shows new names once their folder is listed
        if path.name in os.listdir(path.parent):  # noqa: PTH208
            return read_json_object(path, advice=_ADVICE)
    return None
