"""What a launch tells a reader: a line for each part that ended, and how far all of them are."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType

from tqdm import tqdm

from utils.launch.piece import Ended, Launcher, Piece

_BAR = "{n_fmt} of {total_fmt} pieces [{elapsed}] {bar:20} {desc}"


def run_with_progress(pieces: Sequence[Piece], launcher: Launcher) -> list[Ended]:
    """Run the pieces, tell how far they are, and return how each part ended, in the order of their first pieces.

    Raises:
        Terminated: as the launcher does.
    """
    with Progress(pieces, launcher.n_slots) as progress:
        launcher.run(pieces, progress)
        return progress.parts()


class Progress:
    """A watcher of a launch: on a terminal also a bar with what runs, what failed and the time that is left.

    Args:
        pieces: all of them.
        n_slots: how many run at a time.
    """

    def __init__(self, pieces: Sequence[Piece], n_slots: int) -> None:
        self._pieces, self._n_slots = pieces, n_slots
        self._of_part: dict[str, list[Piece]] = {}
        for piece in pieces:
            self._of_part.setdefault(piece.part, []).append(piece)
        self._running: dict[str, float] = {}
        self._ended: dict[str, Ended] = {}
        self._warned: set[str] = set()
        self._told = 0
        self._bar = tqdm(total=len(pieces), disable=None, bar_format=_BAR, unit="piece")

    def __enter__(self) -> Progress:
        """Draw the bar."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def started(self, piece: Piece) -> None:
        """Count it among those that run."""
        self._running[piece.label] = time.monotonic()
        self.tick()

    def ended(self, piece: Piece, result: Ended) -> None:
        """Tell the warnings that are new, and the part if this was its last piece."""
        self._running.pop(piece.label, None)
        self._ended[piece.label] = result
        lines = [warning for warning in dict.fromkeys(result.warnings) if warning not in self._warned]
        self._warned.update(lines)
        if all(other.label in self._ended for other in self._of_part[piece.part]):
            self._told += 1
            lines.insert(0, f"{self._told} of {len(self._of_part)}  {_in_words(self._part(piece.part))}")
        self._say(*lines)
        self._bar.update()
        self.tick()

    def put_back(self, piece: Piece, why: str) -> None:
        """Tell why."""
        self._running.pop(piece.label, None)
        self._say(f"{piece.label}: {why}")
        self.tick()

    def tick(self) -> None:
        """Draw what has changed."""
        if self._bar.disable:
            return
        failed = sum(1 for result in self._ended.values() if result.status)
        self._bar.set_description_str(f"{len(self._running)} running, {failed} failed, {self._left()}")

    def parts(self) -> list[Ended]:
        """How each part ended, in the order of their first pieces."""
        return [self._part(label) for label in self._of_part]

    def _part(self, label: str) -> Ended:
        """A part as one: what its first piece that failed said, and the seconds of all."""
        pieces = self._of_part[label]
        results = [self._ended[piece.label] for piece in pieces]
        seconds = sum(result.seconds for result in results)
        warnings = tuple(warning for result in results for warning in result.warnings)
        for piece, result in zip(pieces, results, strict=True):
            if result.status:
                said = result.said if piece.kind != "fold" or piece.label == label else f"{piece.label}: {result.said}"
                return Ended(label, result.status, said, warnings, seconds)
        return Ended(label, 0, results[-1].said, warnings, seconds)

    def _left(self) -> str:
        """The time that is left, by what pieces of the same kind took; those that failed say nothing of it."""
        took: dict[str, list[float]] = {}
        for piece in self._pieces:
            result = self._ended.get(piece.label)
            if result is not None and not result.status:
                took.setdefault(piece.kind, []).append(result.seconds)
        means = {kind: sum(seconds) / len(seconds) for kind, seconds in took.items()}
        if not means:
            return "time left unknown"
        longest, now = max(means.values()), time.monotonic()
        left = [0.0]
        for piece in self._pieces:
            if piece.label not in self._ended:
                since = self._running.get(piece.label, now)
                left.append(max(0.0, means.get(piece.kind, longest) - (now - since)))
        return f"about {tqdm.format_interval(max(sum(left) / self._n_slots, *left))} left"

    def _say(self, *lines: str) -> None:
        if lines:
            tqdm.write("\n".join(lines), file=sys.stdout)
            sys.stdout.flush()


def _in_words(part: Ended) -> str:
    if part.status:
        return f"FAILED: {part.label}: {part.said}"
    return f"done: {part.label}: {part.seconds:.0f} s"
