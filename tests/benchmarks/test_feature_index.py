"""The benchmark of the index counts what it says, in processes of its own: it puts counters in the reader's place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def rows(*options: object) -> list[list[str]]:
    called = [sys.executable, "-m", "benchmarks.feature_index", *map(str, options)]
    ended = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in ended.stdout.splitlines()]


def test_only_reading_is_left_after_the_first_run(tmp_path):
    table = {row[0]: list(map(float, row[1:])) for row in rows("--runs", 2, "--epochs", 1, "--folder", tmp_path)[-4:]}
    assert table["fingerprinted"] == table["looked at for NaN"] == [1, 0, 1]
    # The epoch reads training and validation slides, 80 % of the files; then the slides of all parts are predicted.
    assert table["read whole"] == [2.8, 1.8, 4.6]
    assert table["opened"][1] == 1.8


def test_the_first_epoch_begins_in_each_way(tmp_path):
    lines = rows("--before", 10, 5, 4, "--folder", tmp_path)[-4:]
    assert [line[0] for line in lines] == ["first", "later", "once more", "later, --verify full"]
    assert all(float(cell) > 0 for line in lines for cell in line[1:])


def test_loading(tmp_path):
    assert rows("--load", 10, "--folder", tmp_path)[-1][0].startswith("10 lines: 0.0")
