"""What killed processes leave is removed, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datasets.slides.slide_files import feature_files
from utils.files import temporaries
from utils.files.atomic import write_text
from utils.files.temporaries import remove_abandoned, temporary_path

DAY = 86400


def left_by(process: int, path: Path, machine: str | None = None) -> Path:
    """A temporary file of another process, as it would be named."""
    name = temporary_path(path).name.replace(f"-{os.getpid()}-", f"-{process}-", 1)
    left = path.with_name(name if machine is None else name.replace(temporaries._machine(), machine))
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text("half")
    return left


def a_dead_process() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_files_of_dead_processes_are_removed_before_the_first_file_is_written(tmp_path: Path):
    dead, living = left_by(a_dead_process(), tmp_path / "a.pt"), left_by(os.getppid(), tmp_path / "b.pt")
    folder = left_by(a_dead_process(), tmp_path / "splits")
    folder.unlink()
    (folder / "below").mkdir(parents=True)
    write_text(tmp_path / "c.txt", "whole")
    assert {path.name for path in tmp_path.iterdir()} == {living.name, "c.txt"}
    assert not dead.exists()


def test_a_number_that_this_process_has_taken_over_is_of_a_dead_one_too(tmp_path: Path):
    left_by(os.getpid(), tmp_path / "a.pt")
    write_text(tmp_path / "c.txt", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["c.txt"]
    own = left_by(os.getpid(), tmp_path / "b.pt")  # from now on they are its own
    remove_abandoned(tmp_path, again=True)
    assert own.exists()


def test_files_of_other_machines_are_removed_when_they_are_old(tmp_path: Path):
    new, old = (left_by(1, tmp_path / name, machine="0123abcd") for name in ("new.pt", "old.pt"))
    os.utime(old, (time.time() - 1.1 * DAY,) * 2)
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [new]


@pytest.mark.parametrize("name", [".tmp-notes", ".123.a.pt", ".tmp-1-a.pt", "tmp-1-0123abcd-a.pt", ".tmp-1-0123abcd-"])
def test_other_files_stay(tmp_path: Path, name: str):
    (tmp_path / name).write_text("")
    os.utime(tmp_path / name, (0, 0))
    remove_abandoned(tmp_path)
    assert (tmp_path / name).exists()


def test_a_folder_is_looked_at_once_and_need_not_be_there(tmp_path: Path):
    remove_abandoned(tmp_path / "nowhere")
    remove_abandoned(tmp_path)
    left = left_by(a_dead_process(), tmp_path / "a.pt")
    remove_abandoned(tmp_path)
    assert left.exists()
    remove_abandoned(tmp_path, again=True)
    assert not left.exists()


def test_half_written_slides_are_no_slides(tmp_path: Path):
    (tmp_path / "a.pt").write_text("")
    left_by(os.getppid(), tmp_path / "b.pt")
    assert feature_files(tmp_path) == [tmp_path / "a.pt"]
