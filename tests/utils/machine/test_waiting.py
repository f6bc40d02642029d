from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils.machine.waiting import wait_asleep

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"OMP_WAIT_POLICY": "passive"}),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
        ({"GOMP_SPINCOUNT": "1000"}, {"GOMP_SPINCOUNT": "1000"}),
    ],
)
def test_threads_sleep_unless_the_user_said_how_they_wait(before: dict[str, str], after: dict[str, str]):
    wait_asleep(before)
    assert before == after


@pytest.mark.slow  # it imports torch anew
def test_the_library_of_torch_hears_of_it():
    """A command says so before its imports; a library that is loaded does not ask again."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    }
    begin = "from utils.machine.start import begin; begin('a command'); import torch"
    command = [sys.executable, "-c", begin]
    ended = subprocess.run(
        command, cwd=ROOT, env={**environment, "OMP_DISPLAY_ENV": "verbose"}, capture_output=True, text=True, check=True
    )
    assert "GOMP_SPINCOUNT = '0'" in ended.stderr
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in ended.stderr
