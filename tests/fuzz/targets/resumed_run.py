"""`run.json` of a run that is to go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.fuzz.targets._runs import RUN, prepare, seeds_of
from utils.runs.run_claim import permit

__all__ = ["CHEAP", "NAME", "prepare", "read", "seeds"]

NAME, CHEAP = "run.json", False
seeds = seeds_of(RUN / "run.json")


def read(path: Path) -> None:
    run_dir, kept = path.parent / RUN, path.parent / "run.kept"
    if not kept.exists():
        shutil.copy(run_dir / "run.json", kept)
    record = json.loads(kept.read_text())
    shutil.copy(path, run_dir / "run.json")
    for stage in ("all", "test", "explain"):
        permit(run_dir, record, stage=stage, resume=True, overwrite=False)
