"""The outcomes of the training cases, which metrics of survival are computed with."""

from __future__ import annotations

from tests.fuzz.targets._runs import SURVIVAL, prepare, report_of, seeds_of

__all__ = ["CHEAP", "NAME", "prepare", "read", "seeds"]

FILE = SURVIVAL / "fold0/outcomes_train.csv"
NAME, CHEAP = FILE.name, False
seeds, read = seeds_of(FILE), report_of(FILE, SURVIVAL)
