"""Pieces as tasks of a Ray of this machine; `tests/commands/test_ray.py` has a cluster."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import ANY

import pytest
import torch

from tests.utils.launch import work
from tests.utils.launch.work import Told, piece
from utils.command.launch_options import LaunchOptions
from utils.errors import UserError
from utils.launch import ray_launcher, slots
from utils.launch.piece import Ended
from utils.launch.ray_cluster import Share
from utils.launch.ray_launcher import RayLauncher

TOKEN = os.urandom(16).hex()


@pytest.fixture
def own_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray answers those who know a word, which it would otherwise write to the home of the user."""
    monkeypatch.setenv("RAY_AUTH_MODE", "")  # so that it is put back: Ray sets it
    monkeypatch.delenv("RAY_AUTH_MODE")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def test_without_the_package_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_launcher, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs the package ray, .* run bash script/setup.sh --with-extras"):
        RayLauncher(LaunchOptions(launcher="ray"), device="cpu")


@pytest.mark.parametrize(
    ("given", "n_slots", "share"),
    [
        ({}, 8, Share(1, 0.0)),
        ({"ray_cpus": 3}, 2, Share(3, 0.0)),
        ({"jobs": 2}, 2, Share(4, 0.0)),
        ({"jobs": 16}, 16, Share(1, 0.0)),
        ({"gpus": ("all",)}, 2, Share(4, 1.0)),
        ({"gpus": ("1",), "jobs_per_gpu": 3, "ray_cpus": 2}, 3, Share(2, 0.3333)),
    ],
)
def test_what_pieces_take_of_this_machine(monkeypatch: pytest.MonkeyPatch, given: dict, n_slots: int, share: Share):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(ray_launcher, "cores", lambda: 8)
    monkeypatch.delenv(slots.VISIBLE, raising=False)
    launcher = RayLauncher(LaunchOptions(launcher="ray", **given), device="auto" if "gpus" in given else "cpu")
    assert (launcher.n_slots, launcher.device, launcher._share) == (n_slots, share.device, share)


@pytest.mark.slow
@pytest.mark.usefixtures("own_token")
def test_pieces_end_as_those_of_local(tmp_path: Path):
    """In order, with their threads; failures and processes that are killed; a place that is taken first."""
    (tmp_path / "once").mkdir()
    names = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
    pieces = [
        piece(tmp_path, "one", work.variables, *names),
        piece(tmp_path, "fails", work.fail, "no features"),
        piece(tmp_path, "after", work.say, needs=("fails",)),
        piece(tmp_path, "once", work.die, tmp_path / "once", 1),
        *(piece(tmp_path, label, work.write_in, tmp_path / "fold0", 1) for label in ("a", "b")),
    ]
    told = Told()
    options = LaunchOptions(launcher="ray", jobs=2, ray_cpus=3)
    ended = RayLauncher(options, device="cpu").run(pieces, told)
    assert ended == [
        Ended("one", 0, "CUDA_VISIBLE_DEVICES=None", (), ANY),
        Ended("fails", 2, "prog: error: no features", (), ANY),
        Ended("after", 1, "not run, because of: fails"),
        Ended("once", 0, "went on", (), ANY),
        Ended("a", 0, ANY, (), ANY),
        Ended("b", 0, ANY, (), ANY),
    ]
    assert (tmp_path / "one.log").read_text().startswith("OMP_NUM_THREADS=3\n")
    again = "its process was killed; was there enough memory? It goes on once more from what it has saved"
    assert told.waits[0] == ("once", again)
    pids = (tmp_path / "written").read_text().split()
    assert len(set(pids)) == 2  # each in a process of its own


@pytest.mark.slow
@pytest.mark.usefixtures("own_token")
def test_each_piece_sees_the_gpu_that_ray_gave_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Ray takes the word of the launcher that there are GPUs."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv(slots.VISIBLE, "4,5,6,GPU-7")
    options = LaunchOptions(launcher="ray", gpus=("1", "3"), jobs_per_gpu=2, ray_retries=0)
    pieces = [piece(tmp_path, label, work.variables_while, 3.0, slots.VISIBLE) for label in "abcd"]
    ended = RayLauncher(options, device="auto").run(pieces, Told())
    assert sorted(each.said for each in ended) == ["CUDA_VISIBLE_DEVICES=5"] * 2 + ["CUDA_VISIBLE_DEVICES=GPU-7"] * 2
    assert os.environ[slots.VISIBLE] == "4,5,6,GPU-7"
