"""`slide.json` of an explained slide."""

from __future__ import annotations

from tests.fuzz.targets._runs import EXPLAINED, prepare, report_of, seeds_of

__all__ = ["CHEAP", "NAME", "prepare", "read", "seeds"]

FILE = EXPLAINED / "s10/slide.json"
NAME, CHEAP = FILE.name, False
seeds, read = seeds_of(FILE), report_of(FILE)
