"""The short soak: six kills at the worst moments and two processes at once, as real processes; the long one is
`python -m tests.soak`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("soak")]


@pytest.fixture(scope="module")
def told() -> str:
    """What a soak says that found nothing; its kills hit checkpoints, logs, a fold's begin, and anchors in turn."""
    words = ["--kills", "6", "--pairs", "2", "--scenario", "train_cls", "clustering", "shared_run", "second_start"]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.soak", *words], cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    return ended.stdout


def test_killed_commands_end_as_if_nobody_had_disturbed_them(told: str):
    summary = re.search(r"(\d+) trials, (\d+) kills \((.*)\), (\d+) files read meanwhile, 0 findings", told)
    assert summary is not None, told
    assert int(summary[2]) >= 6
    assert all(name in summary[3] for name in ("SIGKILL", "SIGTERM", "SIGINT"))
    assert int(summary[4]) > 50


def test_two_processes_share_a_run_or_one_is_refused(told: str):
    rows = dict(re.findall(r"^(\w+) +(\d+ +\d+ +\d+)$", told, re.MULTILINE))
    assert rows["shared_run"].split() == rows["second_start"].split() == ["1", "0", "0"]
