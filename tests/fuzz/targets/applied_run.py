"""`run.json` of a run whose models are to be applied."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.fuzz.targets._runs import RUN, prepare, seeds_of
from utils.pipeline import load_ensemble

__all__ = ["CHEAP", "NAME", "prepare", "read", "seeds"]

NAME, CHEAP = "run.json", False
seeds = seeds_of(RUN / "run.json")


def read(path: Path) -> None:
    run_dir = path.parent / RUN
    shutil.copy(path, run_dir / "run.json")
    load_ensemble(run_dir)
