"""What a pickle would build, from its instructions alone: nothing is built, called or imported.

A few bytes of a pickle can ask for gigabytes (a number in the memo that is far too large), or for hours (a tuple of two
tuples of two tuples ..., used as a key). Files of torch.save and of numpy need none of that.
"""

from __future__ import annotations

import pickletools
from mmap import mmap
from typing import NamedTuple

MOST_STEPS = 1_000_000  # a checkpoint with all options of the optimizers has some thousand
MOST_LEVELS = 100  # of things in things; C code that follows them has no other limit
_MOST_PARTS = 1 << 24  # that are gone through when each thing is put into another

_INTO = frozenset(("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"))
_KEPT = frozenset(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"))
_USED = frozenset(("GET", "BINGET", "LONG_BINGET"))


class _Step(NamedTuple):
    """An instruction.

    Attributes:
        name: as in `pickletools`.
        width: bytes of its argument, or of the number of bytes that follow.
        is_counted: whether so many bytes follow.
        lines: of text that follow.
        pushes: whether it only puts something down.
        takes: things that it takes, or those before a mark, with all that lies upon the mark.
        has_mark: whether there is a mark.
        puts: whether something is put down in their place.
    """

    name: str
    width: int
    is_counted: bool
    lines: int
    pushes: bool
    takes: int
    has_mark: bool
    puts: bool


class _Thing(NamedTuple):
    """How many parts a thing has if what is in it twice counts twice, and how deep it goes."""

    parts: int
    levels: int


_PLAIN = _Thing(1, 1)


def check_pickle(data: bytes | mmap, begin: int = 0) -> int:
    """Go through one pickle and return where it ends; its texts and numbers are not read.

    Args:
        data: with the pickle in it.
        begin: where it begins.

    Raises:
        ValueError: it ends early, holds what no pickle does, or would build what takes far more memory or time than
            its bytes.
    """
    take, place, end = _Machine().take, begin, len(data)
    for _ in range(MOST_STEPS):
        if place >= end:
            break
        step = _STEPS.get(data[place])
        if step is None:
            raise ValueError("it is no pickle")
        argument, place = place + 1, place + 1 + step.width
        if step.is_counted:
            place += int.from_bytes(data[argument:place], "little")
        for _ in range(step.lines):
            place = data.find(b"\n", place) + 1 or end + 1
        if place > end:
            break
        if step.pushes:
            take(step, 0)
        else:
            take(step, _number(step, data[argument:place]))
        if step.name == "STOP":
            return place
    else:
        raise ValueError(f"its pickle has more than {MOST_STEPS:,} instructions")
    raise ValueError("its pickle ends early")


def _number(step: _Step, argument: bytes) -> int:
    """The place in the memo that an instruction names."""
    return int(argument) if step.lines == 1 else int.from_bytes(argument, "little")


class _Machine:
    """The stack and the memo of an unpickler, with sizes in the places of things."""

    def __init__(self) -> None:
        self.stack: list[_Thing] = []
        self.marks: list[int] = []
        self.memo: dict[int, _Thing] = {}
        self.parts = 0

    def take(self, step: _Step, place: int) -> None:
        """Follow one instruction; `place` is that in the memo."""
        name = step.name
        if step.pushes:
            self.stack.append(_PLAIN)
        elif name in _KEPT:
            self._keep(len(self.memo) if name == "MEMOIZE" else place)
        elif name in _USED:
            self._push(self.memo.get(place))
        elif name == "MARK":
            self.marks.append(len(self.stack))
        elif name == "DUP":
            self._push(self.stack[-1] if self.stack else None)
        elif name == "POP" and self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        elif step.takes or step.has_mark:
            self._build(step)

    def _build(self, step: _Step) -> None:
        count = step.takes
        if step.has_mark:
            if not self.marks:
                raise ValueError("its pickle ends something that never began")
            count += len(self.stack) - self.marks.pop()
        taken = self._pop(count)
        into = taken.pop(0) if step.name in _INTO else None
        if not step.puts:
            return
        parts = levels = 0
        for one in taken:
            parts += one.parts
            levels = max(levels, one.levels)
        self.parts += parts + 1
        if levels >= MOST_LEVELS or self.parts > _MOST_PARTS:
            raise ValueError("its pickle holds things in things without end")
        if into is None:
            self.stack.append(_Thing(parts + 1, levels + 1))
        else:
            self.stack.append(_Thing(into.parts + parts + 1, max(into.levels, levels + 1)))

    def _pop(self, count: int) -> list[_Thing]:
        if count > len(self.stack):
            raise ValueError("its pickle takes more than it has put down")
        cut = len(self.stack) - count
        taken = self.stack[cut:]
        del self.stack[cut:]
        return taken

    def _keep(self, place: int) -> None:
        if not self.stack or not 0 <= place <= MOST_STEPS:
            raise ValueError(f"its pickle keeps nothing, or at place {place}")
        self.memo[place] = self.stack[-1]

    def _push(self, thing: _Thing | None) -> None:
        if thing is None:
            raise ValueError("its pickle uses what it has not kept")
        self.stack.append(thing)


def _step(operation: pickletools.OpcodeInfo) -> _Step:
    name, before, after, size = operation.name, operation.stack_before, operation.stack_after, 0
    if operation.arg is not None:
        size = operation.arg.n
    # Negative sizes of `pickletools`: up to the end of a line, or a number of bytes that is before them.
    counted = {
        pickletools.TAKEN_FROM_ARGUMENT1: 1,
        pickletools.TAKEN_FROM_ARGUMENT4: 4,
        pickletools.TAKEN_FROM_ARGUMENT4U: 4,
        pickletools.TAKEN_FROM_ARGUMENT8U: 8,
    }
    has_mark = pickletools.markobject in before
    return _Step(
        name=name,
        width=counted.get(size, max(size, 0)),
        is_counted=size in counted,
        lines=(2 if name in ("GLOBAL", "INST") else 1) if size == pickletools.UP_TO_NEWLINE else 0,
        pushes=not before and len(after) == 1 and name not in (*_USED, "MARK"),
        takes=before.index(pickletools.markobject) if has_mark else len(before),
        has_mark=has_mark,
        puts=bool(after),
    )


_STEPS = {ord(operation.code): _step(operation) for operation in pickletools.opcodes}
