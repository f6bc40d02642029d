"""Predictions of survival times, of which a report computes everything."""

from __future__ import annotations

from tests.fuzz.targets._runs import SURVIVAL, prepare, report_of, seeds_of

__all__ = ["CHEAP", "NAME", "prepare", "read", "seeds"]

FILE = SURVIVAL / "fold0/predictions_test.csv"
NAME, CHEAP = FILE.name, False
seeds, read = seeds_of(FILE), report_of(FILE, SURVIVAL)
