"""What an input must not do, told apart by where it happened."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_OWN = ("models", "datasets", "utils", "script", "main.py", "run_clustering.py")


@dataclass(frozen=True)
class Finding:
    """An input that ended in something else than a result or a UserError.

    Attributes:
        kind: the class of the exception, or `hang`, `memory`, `crash`.
        where: the innermost line of this repository's code, such as `datasets/slides/pt_file.py:40`.
        number: of the input.
        told: traceback, or what was measured.
    """

    kind: str
    where: str
    number: int
    told: str

    @property
    def key(self) -> tuple[str, str]:
        """Findings of one key are one fault."""
        return self.kind, self.where

    @property
    def file_stem(self) -> str:
        """A name for its files."""
        return re.sub(r"[^A-Za-z0-9.]+", "_", f"{self.kind}_{self.where}").replace(".py", "")


def of_exception(error: BaseException, number: int) -> Finding:
    """The finding of an exception that is no UserError."""
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    where = _innermost([(name, str(line)) for name, line in frames])
    return Finding(type(error).__name__, where, number, "".join(traceback.format_exception(error)))


def of_trace(kind: str, trace: str, number: int, told: str) -> Finding:
    """The finding of a process that was killed or died; `trace` is what `faulthandler` wrote, innermost line first."""
    return Finding(kind, _innermost(list(reversed(_FRAME.findall(trace)))), number, f"{told}\n\n{trace}")


def _innermost(frames: list[tuple[str, str]]) -> str:
    """The last frame of the program, else of the target."""
    own = [(Path(name).resolve(), line) for name, line in frames]
    inside = [(path.relative_to(ROOT), line) for path, line in own if path.is_relative_to(ROOT)]
    for roots in (_OWN, ("tests",)):
        chosen = [(path, line) for path, line in inside if path.parts[0] in roots]
        if chosen:
            path, line = chosen[-1]
            return f"{path.as_posix()}:{line}"
    return "unknown"
