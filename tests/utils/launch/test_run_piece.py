"""The command of a job: it does one piece if those that it needs ended well, and writes how it ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import ANY

import pytest

from tests.utils.launch.slurm import work
from tests.utils.launch.slurm.work import piece
from utils.launch.piece import Ended, Piece
from utils.launch.piece_file import write_pieces
from utils.launch.run_piece import do
from utils.launch.slurm.record import read_ended, read_started, write_ended

ROOT = Path(__file__).parents[3]


def command(place: Path, piece: Piece, *needed: Piece) -> list[str]:
    write_pieces(place / "pieces.json", [piece], [piece, *needed])
    return [sys.executable, "-m", "utils.launch.run_piece", str(place / "pieces.json"), "0"]


def test_how_it_ended_is_written(tmp_path: Path):
    well, failed = piece(tmp_path, "a", work.say, "warning: a", "b"), piece(tmp_path, "b", work.fail, "no such file")
    (tmp_path / "logs").mkdir()
    well.log.write_text("warning: of an earlier call\n")
    assert (do(well, {}), do(failed, {})) == (0, 2)
    assert read_ended(well) == Ended("a", 0, "b", ("warning: a",), ANY)
    assert read_ended(failed) == Ended("b", 2, "prog: error: no such file", (), ANY)
    assert read_started(well) is not None


def test_it_is_not_done_where_one_that_it_needs_failed_or_left_no_word(tmp_path: Path):
    end = piece(tmp_path, "end", work.say, "made", needs=["a", "b"])
    a, b = piece(tmp_path, "a", work.say), piece(tmp_path, "b", work.say)
    needs = {"a": "a.fold", "b": "b.fold"}
    write_ended(a, Ended("a", 0, ""))
    assert do(end, needs) == 1
    assert read_ended(end) == Ended("end", 1, "not run, because of: b")
    write_ended(b, Ended("b", 2, "failed"))
    assert do(end, needs) == 1
    write_ended(b, Ended("b", 0, ""))
    assert do(end, needs) == 0
    assert read_ended(end) == Ended("end", 0, "made", (), ANY)


@pytest.mark.slow
def test_a_signal_leaves_no_end_and_the_same_command_goes_on(tmp_path: Path):
    counting = piece(tmp_path, "a", work.count, str(tmp_path / "n"), 40)
    write_ended(counting, Ended("a", 0, "of an earlier call"))
    line = command(tmp_path, counting)
    process = subprocess.Popen(line, cwd=ROOT)
    while not (tmp_path / "n").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGUSR2)
    assert process.wait() == 128 + signal.SIGUSR2
    assert read_ended(counting) is None
    assert subprocess.run(line, cwd=ROOT, check=False).returncode == 0
    assert read_ended(counting) == Ended("a", 0, "counted to 40", (), ANY)
    assert [int(line) for line in (tmp_path / "n").read_text().split()] == list(range(1, 41))


@pytest.mark.parametrize("words", [["missing.json", "0"], ["{file}", "3"]])
def test_what_is_not_there_is_one_sentence(tmp_path: Path, words: list[str]):
    *start, file, _ = command(tmp_path, piece(tmp_path, "a", work.say))
    line = [*start, *(word.format(file=file) for word in words)]
    ended = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("run_piece: error: ")
    assert ended.stderr.count("\n") == 1
