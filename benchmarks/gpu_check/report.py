"""What a part of the check has to say: tables, notes, what was left out and what failed, printed as it comes."""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from utils.machine.memory import memory_error

Value = str | int | float | None
TRACEBACK_LINES = 12


@dataclass
class Table:
    """A table that is filled row by row; each row is printed when it is added."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Value, ...]] = field(default_factory=list)

    def add(self, *cells: Value) -> None:
        """Add a row; NaN and infinity are kept as words, since JSON has neither."""
        if len(cells) != len(self.columns):
            raise ValueError(f"got {len(cells)} cells, expected {len(self.columns)}: {', '.join(self.columns)}")
        self.rows.append(tuple(str(c) if isinstance(c, float) and not math.isfinite(c) else c for c in cells))
        say("  " + " | ".join(cell_text(cell) for cell in self.rows[-1]))


@dataclass(frozen=True)
class Failure:
    """An error: of what, its type and message, and the last lines of its traceback."""

    what: str
    kind: str
    message: str
    traceback: str

    @classmethod
    def of(cls, what: str, error: BaseException) -> Failure:
        """The failure that an error stands for."""
        lines = "".join(traceback.format_exception(error)).rstrip().splitlines()
        return cls(what, type(error).__name__, str(error), "\n".join(lines[-TRACEBACK_LINES:]))


class PartReport:
    """The report of one part.

    Args:
        title: of the part.
        deadline: the time (`time.monotonic`) after which it begins no further measurement.

    Attributes:
        tables: in their order.
        notes: sentences below the tables.
        left_out: what was not measured, and why.
        failures: what went wrong; with any of them the part has failed.
        seconds: that the part took.
    """

    def __init__(self, title: str, deadline: float) -> None:
        self.title, self.deadline = title, deadline
        self.tables: list[Table] = []
        self.notes: list[str] = []
        self.left_out: list[str] = []
        self.failures: list[Failure] = []
        self.seconds = 0.0

    @property
    def status(self) -> str:
        """`passed` or `failed`."""
        return "failed" if self.failures else "passed"

    def table(self, title: str, *columns: str) -> Table:
        """A new table."""
        self.tables.append(Table(title, columns))
        say(f" {title}: {' | '.join(columns)}")
        return self.tables[-1]

    def note(self, text: str) -> None:
        """Add a sentence."""
        self.notes.append(text)
        say(f"  {text}")

    def leave_out(self, what: str, why: str) -> None:
        """Name what is not measured, once."""
        named = f"{what}: {why}"
        if named not in self.left_out:
            self.left_out.append(named)
            say(f"  left out: {named}")

    def fail(self, what: str, error: BaseException) -> None:
        """Name what went wrong."""
        self.failures.append(Failure.of(what, error))
        say(f"  FAILED: {what}: {type(error).__name__}: {first_line(error)}")

    def time_for(self, what: str, needs: float = 0.0) -> bool:
        """Whether there is time for a measurement of so many seconds; named as left out where there is not."""
        if time.monotonic() + needs <= self.deadline:
            return True
        self.leave_out(what, "no time left")
        return False

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """A measurement whose error is reported and does not stop the others; too little memory is no error."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  the check goes on whatever goes wrong
            if is_out_of_memory(error):
                self.note(f"{what}: out of memory")
            else:
                self.fail(what, error)

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        tables = [
            {"title": t.title, "rows": [dict(zip(t.columns, row, strict=True)) for row in t.rows]} for t in self.tables
        ]
        about = {"title": self.title, "status": self.status, "seconds": round(self.seconds, 1)}
        failures = [vars(failure) for failure in self.failures]
        return {**about, "tables": tables, "notes": self.notes, "left_out": self.left_out, "failures": failures}


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def cell_text(value: Value) -> str:
    """A value as the cell of a table.

    >>> cell_text(0.123456), cell_text(None), cell_text(1234567), cell_text(1234567.8)
    ('0.1235', '', '1234567', '1234568')
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return (str(error).strip().splitlines() or [""])[0][:300]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: what torch and libraries of CUDA raise, or what the training loop says of it."""
    return any(memory_error(e) is not None for e in (error, error.__cause__) if e is not None)
