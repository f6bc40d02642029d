"""`run_clustering.py` with slides in parts, in processes of their own: the files of one process, whatever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from datasets.slides.features import write_slide
from tests.commands.conftest import Command
from tests.commands.processes import finish, start, wait_until
from tests.soak.comparison import contents

ROOT = Path(__file__).parents[2]
N_SLIDES = 24


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slides that take a moment each."""
    place = tmp_path_factory.mktemp("features")
    for number in range(N_SLIDES):
        generator = torch.Generator().manual_seed(number)
        write_slide(place / f"s{number:02d}.pt", torch.randn(700 + 100 * (number % 5), 32, generator=generator).half())
    return place


@pytest.fixture(scope="module")
def serial(features: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process writes."""
    place = tmp_path_factory.mktemp("serial")
    finish(begin(arguments(features, place)))
    return contents(place)


def arguments(features: Path, place: Path, *more: object) -> list[object]:
    given = ["--dataset_name", "toy", "--n_clusters", 32, "--input_dir", features, "--output_dir", place]
    return [*given, "--scope", "slide", "--n_init", 40, *more]


def begin(arguments: Sequence[object]) -> subprocess.Popen[str]:
    return start(arguments, command="run_clustering.py")


def written(place: Path) -> dict[str, bytes]:
    """All that is there but for the logs."""
    return {path: data for path, data in contents(place).items() if not path.startswith("logs/")}


def done(place: Path) -> dict[str, int]:
    """The anchors that are there, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in place.glob("toy_C_32_slides/s*.pt")}


def part_owners(place: Path) -> list[int]:
    owners = []
    for lock in place.glob("toy_C_32_slides/.part_*.lock"):
        try:
            owners.append(int(json.loads(lock.read_text())["process"]))
        except (OSError, ValueError):  # it is written, or was given back
            continue
    return owners


@pytest.mark.slow
def test_a_part_that_is_killed_goes_on_and_all_files_are_those_of_one_process(
    features: Path, serial: dict[str, bytes], tmp_path: Path
):
    launched = begin(arguments(features, tmp_path, "--jobs", 2))
    wait_until(lambda: len(done(tmp_path)) >= 2 and bool(part_owners(tmp_path)))
    os.kill(part_owners(tmp_path)[0], signal.SIGKILL)
    out = finish(launched)
    assert "its process was killed by SIGKILL; was there enough memory? It goes on once more" in out
    assert out.count("done: slide anchors, part") == 2
    assert written(tmp_path) == serial
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == [
        f"toy_C_32_slides_part{number}.log" for number in (1, 2)
    ]
    again = finish(begin(arguments(features, tmp_path, "--jobs", 2)))
    assert "all slide anchors are there" in again


@pytest.mark.slow
def test_a_signal_stops_all_parts_and_the_same_command_goes_on(
    features: Path, serial: dict[str, bytes], tmp_path: Path
):
    launched = begin(arguments(features, tmp_path, "--jobs", 2))
    wait_until(lambda: len(done(tmp_path)) >= 2)
    launched.send_signal(signal.SIGINT)
    _, said = launched.communicate(timeout=120)
    assert launched.returncode == 130
    assert said.splitlines()[-1] == (
        "run_clustering.py: interrupted; the same command goes on with the slides that are left"
    )
    before = done(tmp_path)
    assert 2 <= len(before) < N_SLIDES
    finish(begin(arguments(features, tmp_path, "--jobs", 2)))
    assert before.items() <= done(tmp_path).items()
    assert written(tmp_path) == serial


@pytest.mark.slow
def test_two_commands_at_once_fit_each_slide_once(features: Path, serial: dict[str, bytes], tmp_path: Path):
    launched = [begin(arguments(features, tmp_path, "--jobs", 1)) for _ in range(2)]
    outs = [finish(each) for each in launched]
    assert written(tmp_path) == serial
    log = (tmp_path / "logs" / "toy_C_32_slides_part1.log").read_text()
    assert log.count(f"wrote the anchors of {N_SLIDES} slides") == 1, outs


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scope", "dataset", "--jobs", 2], "got --jobs with --scope dataset, expected --scope slide or both"),
        (["--jobs", 2, "--jobs_per_gpu", 2], "got --jobs, for the CPU, and --jobs_per_gpu"),
        (["--gpu", "--gpus", "cpu"], "got --gpu with --gpus cpu, expected one of them"),
        (["--launcher", "cluster"], "got --launcher cluster, expected one of local"),
    ],
)
def test_what_cannot_be_meant(
    features: Path, run_clustering: Command, tmp_path: Path, options: list[object], words: str
):
    ended = run_clustering(*arguments(features, tmp_path / "out", *options))
    assert ended.status == 2
    assert words in ended.err
    assert not (tmp_path / "out").exists()


def test_a_part_that_fails_is_told_with_what_to_do(features: Path, run_clustering: Command, tmp_path: Path):
    """A folder stands in the place of its log."""
    (tmp_path / "logs" / "toy_C_32_slides_part1.log").mkdir(parents=True)
    ended = run_clustering(*arguments(features, tmp_path, "--jobs", 1, "--n_init", 1))
    assert ended.status == 2
    assert "1 of 1 part of the slides failed (slide anchors, part 1: " in ended.err
    assert "the same command goes on with the slides that are left" in ended.err
    assert not done(tmp_path)
