from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch

from datasets.slides.features import SlideFeatures, read_slide, write_slide
from datasets.slides.slide_cache import SlideCache
from utils.errors import UserError


@pytest.fixture
def paths(tmp_path) -> list[Path]:
    """Slides of 10 x 4 float16 with coords: 80 + 160 bytes each."""
    for number in range(5):
        features = torch.full((10, 4), float(number), dtype=torch.float16)
        write_slide(tmp_path / f"s{number}.pt", features, torch.full((10, 2), number))
    return [tmp_path / f"s{number}.pt" for number in range(5)]


class Reader:
    """Reads slides, and remembers which."""

    def __init__(self) -> None:
        self.opened: list[Path] = []

    def __call__(self, path: Path) -> SlideFeatures:
        self.opened.append(path)
        return read_slide(path)


def assert_same(one, other) -> None:
    assert (one.slide_id, one.attributes) == (other.slide_id, other.attributes)
    assert one.features.dtype == other.features.dtype
    assert torch.equal(one.features, other.features)
    assert torch.equal(one.coords, other.coords)


@pytest.mark.parametrize(("budget", "n_kept"), [(0, 0), (239, 0), (240, 1), (720, 3), (1199, 4), (1200, 5), (10**9, 5)])
def test_as_many_slides_are_kept_as_fit_and_all_are_the_same(paths, budget, n_kept):
    read = Reader()
    cache = SlideCache(budget, read)
    for _ in range(3):
        for path in paths:
            assert_same(cache.read(path), read_slide(path))
    assert cache.used == 240 * n_kept
    assert read.opened == [*paths, *paths[n_kept:], *paths[n_kept:]]
    assert cache.describe().startswith(f"{n_kept} of 5 slides are kept in memory, ")
    assert ("the others are read from their files" in cache.describe()) == (n_kept < 5)


def test_a_smaller_slide_takes_what_a_larger_one_left(paths, tmp_path):
    write_slide(tmp_path / "large.h5", torch.zeros(100, 4))
    read = Reader()
    cache = SlideCache(500, read)
    for path in (paths[0], tmp_path / "large.h5", paths[1], paths[0], paths[1]):
        cache.read(path)
    assert read.opened == [paths[0], tmp_path / "large.h5", paths[1]]


def test_room_is_reserved_for_slides_that_come_later_in_another_order(paths):
    read = Reader()
    cache = SlideCache(500, read)
    cache.read(paths[4])
    sizes = dict.fromkeys(paths, 240)
    for _ in range(2):  # twice is once
        cache.reserve(sizes)
        assert cache.describe().startswith("2 of 5 slides are kept in memory, 0.0 GB")
    assert cache.used == 480
    for path in (*reversed(paths), *paths):
        assert_same(cache.read(path), read_slide(path))
    assert [read.opened.count(path) for path in paths] == [1, 2, 2, 2, 1]
    assert cache.describe().startswith("2 of 5 slides are kept in memory, 0.0 GB")


def test_what_is_kept_needs_its_file_no_more(paths):
    cache = SlideCache(10**6)
    kept = cache.read(paths[3])
    paths[3].unlink()
    assert cache.read(paths[3]) is kept
    assert kept.features.tolist() == [[3.0] * 4] * 10
    assert kept.features.untyped_storage().nbytes() == 80  # no more than the slide, and no map of its file


@pytest.mark.parametrize("reserved", [(), (2,)])
def test_threads_read_a_slide_twice_at_most_and_count_it_once(paths, reserved):
    meeting = threading.Barrier(2)

    def read(path: Path):
        meeting.wait(timeout=20)  # both have found that it is not kept
        return read_slide(path)

    cache, got = SlideCache(10**6, read), []
    cache.reserve({paths[number]: 240 for number in reserved})
    threads = [threading.Thread(target=lambda: got.append(cache.read(paths[2]))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_same(got[0], got[1])
    assert cache.used == 240
    assert_same(cache.read(paths[2]), got[0])


def test_errors_are_those_of_the_file_and_are_not_kept(paths):
    content = paths[1].read_bytes()
    paths[1].write_bytes(b"")
    cache = SlideCache(10**6)
    with pytest.raises(UserError, match=r"s1\.pt is an empty file"):
        cache.read(paths[1])
    assert cache.used == 0
    paths[1].write_bytes(content)
    assert cache.read(paths[1]).features[0, 0] == 1
