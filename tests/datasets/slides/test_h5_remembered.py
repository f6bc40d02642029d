"""What was found in a file is found once, until the file changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import pytest

from datasets.slides import h5_remembered
from datasets.slides.h5_datasets import find_dataset
from datasets.slides.h5_opened import H5Dataset, H5File, opened_h5
from datasets.slides.h5_remembered import remembered


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["a"], file["b"] = [1, 2], [3, 4, 5]
    return tmp_path / "s.h5"


def dataset(file: H5File, name: str) -> H5Dataset:
    found = find_dataset(file, name, file.path)
    assert found is not None
    return found


def test_a_function_is_asked_once_for_each_object_and_argument(path: Path):
    asked: list[tuple[str, str]] = []

    def find(holder: Any, word: str) -> str:
        asked.append((holder.name, word))
        return f"{holder.name} {word}"

    for _ in range(3):
        with opened_h5(path) as file:
            assert [remembered(find, dataset(file, name), word) for name in "ab" for word in "xy"] == [
                "/a x",
                "/a y",
                "/b x",
                "/b y",
            ]
            assert remembered(find, file, "x") == "/ x"
    assert len(asked) == len(set(asked)) == 5


def test_a_file_that_changed_is_asked_again(path: Path):
    def find(holder: Any) -> list[int]:
        return list(holder[...])

    with opened_h5(path) as file:
        assert remembered(find, dataset(file, "a")) == [1, 2]
    before = path.stat()
    with h5py.File(path, "a") as file:
        file["a"][...] = [7, 8]
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with opened_h5(path) as file:
        assert remembered(find, dataset(file, "a")) == [7, 8]


def test_an_error_is_not_remembered(path: Path):
    answers: list[Any] = [ValueError("damaged"), 5]

    def find(holder: Any) -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    with opened_h5(path) as file:
        with pytest.raises(ValueError, match="damaged"):
            remembered(find, file)
        assert remembered(find, file) == 5


def test_the_oldest_is_forgotten(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(h5_remembered, "_MOST", 2)
    monkeypatch.setattr(h5_remembered, "_found", type(h5_remembered._found)())
    asked: list[str] = []

    def find(holder: Any, word: str) -> None:
        asked.append(word)

    with opened_h5(path) as file:
        for word in "xyxzxy":  # x is asked for again before it is the oldest
            remembered(find, file, word)
    assert asked == ["x", "y", "z", "y"]
