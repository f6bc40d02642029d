"""Where an index is, what it keeps of what others wrote, and that no trouble with it stops a command."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from datasets.slides.index_folder import INDEX_NAME, IndexFolder, cache_folder, merged
from datasets.slides.index_table import IndexedSlide, write_table
from datasets.slides.slide_values import SlideValues

ROOT = Path(__file__).parents[3]
HEADER = IndexedSlide(100, 5, 10, 4, "float32", "f")
VALUES = SlideValues(1.0, None, None, None)
WHOLE = HEADER._replace(has_coords=True, values=VALUES)
OTHER = WHOLE._replace(mtime_ns=6)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch, caplog) -> Path:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("MICO_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "features").mkdir()
    for name in ("a.h5", "b.h5", "c.h5"):
        (tmp_path / "features" / name).touch()
    return tmp_path / "features"


def cannot_be_written(folder: Path) -> None:
    """As a read-only folder, also for root: no lock can be taken in it."""
    (folder / f".{INDEX_NAME}.lock").mkdir()


@pytest.mark.parametrize(
    ("before", "found", "after"),
    [
        ({}, {"a": HEADER}, {"a": HEADER}),
        ({"b": WHOLE}, {"a": HEADER}, {"b": WHOLE, "a": HEADER}),
        ({"a": WHOLE}, {"a": HEADER}, {"a": WHOLE}),  # nothing that is known is lost
        ({"a": HEADER}, {"a": WHOLE}, {"a": WHOLE}),
        ({"a": HEADER._replace(has_coords=False)}, {"a": HEADER}, {"a": HEADER._replace(has_coords=False)}),
        ({"a": WHOLE}, {"a": HEADER._replace(mtime_ns=6)}, {"a": HEADER._replace(mtime_ns=6)}),  # but of another file
        ({"a": WHOLE}, {"a": HEADER._replace(fingerprint="g")}, {"a": HEADER._replace(fingerprint="g")}),
        ({"a": WHOLE, "b": WHOLE}, {"a": None, "c": None}, {"b": WHOLE}),
    ],
)
def test_merging(before, found, after):
    assert merged(before, found) == after


def test_beside_the_files(folder: Path, cache: Path, caplog):
    assert IndexFolder(folder).load() == {}
    IndexFolder(folder).save({"a.h5": HEADER, "b.h5": WHOLE})
    IndexFolder(folder).save({"c.h5": WHOLE, "b.h5": None, "gone.h5": WHOLE})
    assert IndexFolder(folder).load() == {"a.h5": HEADER, "c.h5": WHOLE}
    assert sorted(path.name for path in folder.iterdir()) == ["a.h5", "b.h5", "c.h5", INDEX_NAME]
    (folder / "a.h5").unlink()
    IndexFolder(folder).save({"b.h5": WHOLE})
    assert IndexFolder(folder).load() == {"b.h5": WHOLE, "c.h5": WHOLE}
    assert not cache.exists()
    assert caplog.messages == []


def test_in_the_cache_where_the_folder_cannot_be_written(folder: Path, cache: Path, tmp_path: Path, caplog):
    cannot_be_written(folder)
    index = IndexFolder(folder)
    index.save({"a.h5": HEADER})
    index.save({"a.h5": WHOLE})
    (found,) = cache.iterdir()
    (said,) = caplog.messages
    assert said.startswith(f"the index of {folder} is {found}, since cannot write to {folder}")
    (tmp_path / "link").symlink_to(folder)
    assert IndexFolder(folder).load() == IndexFolder(tmp_path / "link").load() == {"a.h5": WHOLE}
    (tmp_path / "others").mkdir()
    assert IndexFolder(tmp_path / "others").load() == {}


def test_of_two_indexes_the_later_one_tells_of_a_file(folder: Path, cache: Path):
    write_table(folder / INDEX_NAME, {"a.h5": OTHER, "b.h5": WHOLE})
    cannot_be_written(folder)
    IndexFolder(folder).save({"a.h5": WHOLE})
    (cached,) = cache.iterdir()
    for beside_is_later in (False, True):
        os.utime(folder / INDEX_NAME, ns=(0, cached.stat().st_mtime_ns + (1 if beside_is_later else -1)))
        assert IndexFolder(folder).load() == {"a.h5": OTHER if beside_is_later else WHOLE, "b.h5": WHOLE}


@pytest.mark.parametrize("why", ["the cache is a file", "no home"])
def test_nowhere(folder: Path, cache: Path, caplog, monkeypatch, why: str):
    cannot_be_written(folder)
    if why == "no home":
        monkeypatch.delenv("MICO_CACHE_DIR")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(Path, "home", fail)
    else:
        cache.touch()
    index = IndexFolder(folder)
    for _ in range(2):
        index.save({"a.h5": HEADER})
    (said,) = caplog.messages
    assert said.startswith(f"the index of {folder} cannot be kept, so that files are looked at again: ")
    assert index.load() == {}


def fail() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_the_cache_folder(monkeypatch):
    assert cache_folder() == Path(os.environ["MICO_CACHE_DIR"])
    monkeypatch.setenv("MICO_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/mico")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/h")
    assert cache_folder() == Path("/h/.cache/mico")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is damaged"),
        (b"\xff\x00", "is damaged"),
        (b"# index of features, format 7, sha256 " + b"0" * 64 + b"\n", "was written by a later version"),
    ],
)
def test_an_index_that_tells_nothing_is_said_once_and_replaced(folder: Path, caplog, content: bytes, said: str):
    (folder / INDEX_NAME).write_bytes(content)
    index = IndexFolder(folder)
    assert index.load() == {}
    index.save({"a.h5": WHOLE})
    (message,) = caplog.messages
    assert message.startswith(f"{folder / INDEX_NAME} {said}")
    assert message.endswith(": feature files are looked at again")
    assert IndexFolder(folder).load() == {"a.h5": WHOLE}


@pytest.mark.slow
def test_two_processes_at_once_lose_nothing(folder: Path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from datasets.slides.index_folder import IndexFolder\n"
        "from datasets.slides.index_table import IndexedSlide\n"
        "index = IndexFolder(Path(sys.argv[1]))\n"
        "sys.stdout.write('ready\\n'), sys.stdout.flush(), sys.stdin.readline()\n"
        "for number in range(20):\n"
        "    index.save({f'{sys.argv[2]}{number}.h5': IndexedSlide(1, number, 3, 4, 'float32', sys.argv[2])})\n"
    )
    names = [f"{letter}{number}.h5" for letter in "xy" for number in range(20)]
    for name in names:
        (folder / name).touch()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder), letter],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for letter in "xy"
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    table = IndexFolder(folder).load()
    assert sorted(table) == sorted(names)
    assert all(table[name].fingerprint == name[0] and table[name].mtime_ns == int(name[1:-3]) for name in names)
