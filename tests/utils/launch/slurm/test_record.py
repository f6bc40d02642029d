"""What jobs and commands write for one another."""

from __future__ import annotations

from pathlib import Path

from tests.utils.launch.slurm import work
from tests.utils.launch.slurm.work import piece
from utils.launch.piece import Ended
from utils.launch.slurm.record import (
    Submitted,
    ended_well,
    folder_of,
    forget,
    new_folder,
    read_ended,
    read_jobs,
    read_started,
    remove_private_files,
    write_ended,
    write_jobs,
    write_started,
)


def test_jobs_are_read_as_they_were_written(tmp_path: Path):
    assert read_jobs(tmp_path) == {}
    jobs = {"a.fold": Submitted("12_3", "abc"), "a.end": Submitted("13", "def")}
    write_jobs(tmp_path, jobs)
    assert read_jobs(tmp_path) == jobs


def test_the_state_of_a_piece(tmp_path: Path):
    one = piece(tmp_path, "a", work.say, "1")
    assert (read_started(one), read_ended(one)) == (None, None)
    write_started(one)
    ended = Ended("a", 0, "well", ("warning: x",), 2.5)
    write_ended(one, ended)
    assert read_started(one) is not None
    assert read_ended(one) == read_ended(one, of_same_work=True) == ended
    assert ended_well(folder_of(one), "a.fold")
    other = piece(tmp_path, "a", work.say, "2")  # the same place, other work
    assert read_ended(other) == ended
    assert read_ended(other, of_same_work=True) is None
    forget([one])
    assert (read_started(one), read_ended(one)) == (None, None)
    assert not ended_well(folder_of(one), "a.fold")


def test_every_command_has_a_folder_of_its_own(tmp_path: Path):
    folders = {new_folder(tmp_path / "slurm") for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.is_dir() for folder in folders)


def test_private_files_of_submitit_are_removed_but_those_of_jobs_in_the_queue(tmp_path: Path):
    folder = tmp_path / "2026"
    folder.mkdir()
    names = ("12_3_submitted.pkl", "13_submitted.pkl", "13_0_result.pkl", "13_0_log.out", "1_fold.json")
    for name in names:
        (folder / name).touch()
    (folder / ".submission_file_0a.sh").symlink_to(folder / "13_submission.sh")
    remove_private_files(tmp_path, ["12_3"])
    assert sorted(path.name for path in folder.iterdir()) == ["12_3_submitted.pkl", "13_0_log.out", "1_fold.json"]
