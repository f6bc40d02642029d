"""`reducer_mixing.json` of an explained fold."""

from __future__ import annotations

from tests.fuzz.targets._runs import EXPLAINED, prepare, report_of, seeds_of

__all__ = ["CHEAP", "NAME", "prepare", "read", "seeds"]

FILE = EXPLAINED / "reducer_mixing.json"
NAME, CHEAP = FILE.name, False
seeds, read = seeds_of(FILE), report_of(FILE)
