from __future__ import annotations

import pytest
import torch

from utils.command.launch_options import LaunchOptions
from utils.errors import UserError
from utils.launch import slots
from utils.launch.slots import Slot, slots_of, threads_of_each, visible_gpus


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv(slots.VISIBLE, raising=False)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.delenv(slots.VISIBLE, raising=False)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("options", "device", "gpus"),
    [
        ({}, "auto", ["0", "1"]),
        ({"gpus": ("all",)}, "auto", ["0", "1"]),
        ({"gpus": ("1",)}, "auto", ["1"]),
        ({"gpus": ("1", "0"), "jobs_per_gpu": 2}, "cuda", ["1", "0", "1", "0"]),
        ({"jobs_per_gpu": 2}, "cuda:1", ["1", "1"]),
        ({}, "cuda", ["0", "1"]),
        ({"gpus": ("cpu",)}, "auto", [None]),
        ({"gpus": ("cpu",), "jobs": 3}, "cpu", [None, None, None]),
        ({"jobs": 2}, "cpu", [None, None]),
    ],
)
def test_places_of_pieces(options: dict, device: str, gpus: list[str | None]):
    assert slots_of(LaunchOptions(**options), device=device) == [Slot(gpu) for gpu in gpus]


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_the_cpu_is_taken_unless_gpus_are_asked_for():
    assert slots_of(LaunchOptions(jobs=2), device="auto") == [Slot(), Slot()]
    with pytest.raises(UserError, match="got --gpus all, but torch sees no GPU here"):
        slots_of(LaunchOptions(gpus=("all",)), device="auto")
    with pytest.raises(UserError, match="got --jobs_per_gpu 2 on the CPU, expected --jobs"):
        slots_of(LaunchOptions(jobs_per_gpu=2), device="auto")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("options", "device", "words"),
    [
        ({"gpus": ("2",)}, "auto", "got --gpus 2, but torch sees 2 GPUs here"),
        ({"gpus": ("0",)}, "cpu", "got --device cpu with --gpus 0, expected --gpus alone"),
        ({"gpus": ("cpu",)}, "cuda", "got --device cuda with --gpus cpu, expected --gpus alone"),
        ({"gpus": ("0",)}, "cuda:1", "got --device cuda:1 with --gpus 0, expected --gpus alone"),
        ({"jobs": 2}, "auto", "got --jobs 2, which is for the CPU"),
    ],
)
def test_what_does_not_go_together(options: dict, device: str, words: str):
    with pytest.raises(UserError, match=words):
        slots_of(LaunchOptions(**options), device=device)


@pytest.mark.usefixtures("two_gpus")
def test_gpus_that_a_batch_system_gave_keep_their_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(slots.VISIBLE, "5, GPU-8932f937")
    assert visible_gpus() == ["5", "GPU-8932f937"]
    assert slots_of(LaunchOptions(gpus=("1",)), device="auto") == [Slot("GPU-8932f937")]


@pytest.mark.parametrize(("cores", "n_slots", "threads"), [(8, 2, 4), (8, 3, 2), (2, 4, 1), (8, 1, None)])
def test_pieces_share_the_cores(monkeypatch: pytest.MonkeyPatch, cores: int, n_slots: int, threads: int | None):
    monkeypatch.delenv(slots.THREADS, raising=False)
    monkeypatch.setattr(slots, "cores", lambda: cores)
    assert threads_of_each(n_slots) == threads


def test_a_number_of_threads_that_was_given_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(slots.THREADS, "3")
    assert threads_of_each(2) is None
