from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.utils.launch.slurm.stand_in import StandIn
from utils.launch.slurm import watch


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A stand-in for Slurm whose programs are found first, and a launcher that looks more often."""
    for name, seconds in (("_GLANCE", 0.05), ("_ASKED_EVERY", 0.2), ("_GONE_FOR", 1.0)):
        monkeypatch.setattr(watch, name, seconds)
    stand_in = StandIn(tmp_path / "stand_in")
    monkeypatch.setenv("PATH", f"{stand_in.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield stand_in
    stand_in.close()
