"""What a process of Ray does with a piece."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from tests.utils.launch import work
from tests.utils.launch.work import piece
from utils.launch.ray_worker import compute, missing


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path.cwd())
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_a_piece_begins_in_the_folder_of_its_launcher_with_its_threads(tmp_path: Path):
    told = piece(Path("logs"), "a", work.variables, "OMP_NUM_THREADS")
    assert compute(pickle.dumps(told), str(tmp_path), "3") == 0
    assert (tmp_path / "logs" / "a.log").read_text() == "OMP_NUM_THREADS=3\n"
    assert compute(pickle.dumps(piece(tmp_path, "b", work.fail, "no")), str(tmp_path), "3") == 2


def test_what_a_node_does_not_see(tmp_path: Path):
    (tmp_path / "there").touch()
    paths = ["there", "not_there", str(tmp_path), "/no/such/folder"]
    assert missing(paths, str(tmp_path)) == ["not_there", "/no/such/folder"]
    assert Path.cwd() == tmp_path
    with pytest.raises(FileNotFoundError):
        missing([], str(tmp_path / "nowhere"))
    assert os.environ["OMP_NUM_THREADS"] == "1"
