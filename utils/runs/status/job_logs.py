"""What the logs in `RESULTS/logs` say at their end: whether the part of a job queue that wrote one has failed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from utils.errors import one_line

_TAIL = 16384  # bytes: the last lines, with a traceback
# What a command says of a mistake, a failure of the machine, or a fault of memory.
_SENTENCE = re.compile(r"([\w./ -]+: )?error: .*|Fatal Python error: .*")
_TRACEBACK = "Traceback (most recent call last):"
_OF_A_FOLD = re.compile("_fold[0-9]+$")
_RAISED = re.compile(r"[A-Za-z_][\w.]*(: .*)?")  # the last line of a traceback


class JobLogs:
    """The logs of a results folder, each of which is looked into when it is asked for.

    Args:
        results_dir: with `logs`, or without.
    """

    def __init__(self, results_dir: Path) -> None:
        self._folder = results_dir / "logs"
        try:
            names = os.listdir(self._folder)  # noqa: PTH208  names alone, no paths
        except OSError:
            names = []
        self._of_job: dict[str, list[str]] = {}
        for name in sorted(name for name in names if name.endswith(".log")):
            self._of_job.setdefault(_OF_A_FOLD.sub("", name.removesuffix(".log")), []).append(name)

    def take(self, job: str) -> list[str]:
        """The names of the logs of a job, `{task}_{dataset}_{run_name}`, and of its folds; nobody else gets them."""
        return self._of_job.pop(job, [])

    def failure(self, names: Iterable[str], *, since: float = 0.0) -> str | None:
        """The sentence with which the last of these logs ends that ends with an error.

        Args:
            names: of the logs.
            since: the time of what was done later than an error that no longer counts.
        """
        return next(filter(None, (self._said(name, since) for name in reversed([*names]))), None)

    def others(self) -> Iterator[tuple[str, str]]:
        """File and sentence of each log that ends with an error and was not taken."""
        for names in self._of_job.values():
            for name in names:
                said = self._said(name, 0.0)
                if said is not None:
                    yield f"logs/{name}", said

    def _said(self, name: str, since: float) -> str | None:
        try:
            with (self._folder / name).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if os.fstat(file.fileno()).st_mtime < since:
                    return None
                file.seek(max(0, size - _TAIL))
                return error_at_the_end(file.read().decode("utf-8", errors="replace"))
        except OSError:
            return None


def error_at_the_end(text: str) -> str | None:
    r"""The error with which a log ends; None where it ends otherwise, as after a signal or in the middle of a work.

    >>> error_at_the_end("fold 0 epoch 1\nmain.py: error: val_loss is nan after fold 0 epoch 2: lower --lr\n")
    'main.py: error: val_loss is nan after fold 0 epoch 2: lower --lr'
    >>> error_at_the_end("main.py: stopped by SIGTERM; the same command with --resume goes on\n")
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    if _SENTENCE.fullmatch(lines[-1]):
        return one_line(lines[-1])
    fatal = [line for line in lines if line.startswith("Fatal Python error: ")]
    if fatal and lines[-1].startswith(("  File ", "Extension modules: ")):
        return one_line(fatal[-1])
    if _TRACEBACK in lines and _RAISED.fullmatch(lines[-1]):
        after = lines[len(lines) - lines[::-1].index(_TRACEBACK) :]
        if all(line.startswith(" ") for line in after[:-1]):
            return one_line(lines[-1])
    return None
