"""A reader that does all that no reader may do: what the harness is tested with. The first byte says what it does."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from utils.errors import UserError

SUFFIX = ".bin"
KINDS = {b"H": "hang", b"M": "memory", b"Q": "memory", b"C": "crash", b"E": "ZeroDivisionError"}


def seeds(folder: Path) -> list[Path]:
    path = folder / "seed.bin"
    path.write_bytes(b"fine")
    return [path]


def read(path: Path) -> None:
    kind = path.read_bytes()[:1]
    if kind == b"H":
        time.sleep(60)
    elif kind == b"M":
        held = b"x" * (300 << 20)
        time.sleep(60 * bool(held))
    elif kind == b"Q":
        bytearray(b"x") * (300 << 20)  # given back before anybody looks
    elif kind == b"C":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif kind == b"E":
        os.kill(os.getpid() // 0, 0)
    elif kind == b"U":
        raise UserError("a sentence")
