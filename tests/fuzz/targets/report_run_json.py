"""`run.json`, of which a report is made."""

from __future__ import annotations

from tests.fuzz.targets._runs import RUN, prepare, report_of, seeds_of

__all__ = ["CHEAP", "NAME", "prepare", "read", "seeds"]

FILE = RUN / "run.json"
NAME, CHEAP = FILE.name, False
seeds, read = seeds_of(FILE), report_of(FILE)
