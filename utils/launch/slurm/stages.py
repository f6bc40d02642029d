"""Which pieces of a launch are submitted, and in which stages: one after the other, each an array of jobs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from utils.launch.piece import Piece
from utils.launch.piece_file import settings_of
from utils.launch.slurm.options import KINDS
from utils.launch.slurm.record import read_ended


@dataclass(frozen=True)
class Stage:
    """Pieces of one kind, which can run side by side.

    Attributes:
        kind: of them.
        pieces: in their order.
        after: the stages whose pieces some of them need.
    """

    kind: str
    pieces: tuple[Piece, ...]
    after: tuple[Stage, ...] = ()


def stages_of(pieces: Sequence[Piece], *, longest: int) -> list[Stage]:
    """Stages, each after those that it needs, with at most `longest` pieces each.

    Pieces of a kind are one stage, in the order of the kinds; where one needs another of its own or of a later kind
    (explanations need the end of a run), the kinds begin again.
    """
    by_label = {piece.label: piece for piece in pieces}
    turns: dict[str, tuple[int, int]] = {}

    def turn_of(piece: Piece) -> tuple[int, int]:
        if piece.label not in turns:
            own = KINDS.index(piece.kind)
            before = [turn_of(by_label[label]) for label in piece.needs if label in by_label]
            turns[piece.label] = max([(0, own), *((turn + (kind >= own), own) for turn, kind in before)])
        return turns[piece.label]

    stages: list[Stage] = []
    for turn in sorted({turn_of(piece) for piece in pieces}):
        of_turn = [piece for piece in pieces if turns[piece.label] == turn]
        earlier = tuple(stages)
        for begin in range(0, len(of_turn), longest):
            chunk = tuple(of_turn[begin : begin + longest])
            needed = {label for piece in chunk for label in piece.needs}
            after = tuple(stage for stage in earlier if any(piece.label in needed for piece in stage.pieces))
            stages.append(Stage(KINDS[turn[1]], chunk, after))
    return stages


def left_to_do(pieces: Sequence[Piece], in_queue: Collection[str]) -> list[Piece]:
    """The pieces that have to be submitted, in their order.

    A run of which a piece is in the queue is left as it is. Of the others, finished folds of runs that go on
    (`--resume`) are kept, and what is made of them if it was made by an earlier launch; what comes before is done again
    where a piece that needs it is done.

    Args:
        pieces: of the launch.
        in_queue: the labels of those that are in the queue.
    """
    watched = at_work(pieces, in_queue)
    by_label = {piece.label: piece for piece in pieces}
    needed_by: dict[str, list[Piece]] = {piece.label: [] for piece in pieces}
    for piece in pieces:
        for label in piece.needs:
            needed_by[label].append(piece)
    left: dict[str, bool] = {}

    def is_left(piece: Piece) -> bool:
        if piece.label not in left:
            left[piece.label] = piece.label not in watched and decide(piece)
        return left[piece.label]

    def decide(piece: Piece) -> bool:
        if piece.kind == "fold":
            return not (all(_goes_on(by_label[label]) for label in piece.needs) and _is_finished(piece))
        if needed_by[piece.label] and piece.kind != "end":
            return any(is_left(other) for other in needed_by[piece.label])
        if not piece.needs or not _goes_on(piece) or any(is_left(by_label[label]) for label in piece.needs):
            return True
        before = read_ended(piece, of_same_work=True)
        return before is None or before.status != 0

    return [piece for piece in pieces if is_left(piece)]


def at_work(pieces: Sequence[Piece], in_queue: Collection[str]) -> set[str]:
    """The labels of the pieces of all runs, and of the anchors, of which a piece is in the queue."""
    runs = {_run_of(piece) for piece in pieces if piece.label in in_queue}
    return {piece.label for piece in pieces if _run_of(piece) in runs}


def _run_of(piece: Piece) -> tuple[object, ...]:
    settings = settings_of(piece)
    return (piece.label,) if settings is None else (settings.run_dir, settings.stage)


def _goes_on(piece: Piece) -> bool:
    """Whether a piece keeps what is there, as runs do with `--resume`, and anchors always."""
    settings = settings_of(piece)
    return settings is None or settings.resume


def _is_finished(piece: Piece) -> bool:
    from utils.pipeline.record import has_finished  # slow to import

    settings = settings_of(piece)
    return settings is not None and has_finished(settings)
