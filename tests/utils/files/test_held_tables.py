from __future__ import annotations

import os
import time
from pathlib import Path

import pandas as pd
import pytest

from utils.errors import UserError
from utils.files import held_tables
from utils.files.held_tables import HeldTables


class Reader:
    """Counts how often it reads; each table has two rows."""

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0

    def __call__(self) -> pd.DataFrame:
        self.count += 1
        return pd.DataFrame({"text": [self.path.read_text()] * 2})


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def _settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_tables, "_SETTLED", 0)


def test_a_file_is_read_once_and_again_when_it_changes(tmp_path: Path):
    path = _written(tmp_path / "a.csv", "one")
    held, read = HeldTables(), Reader(path)
    assert [held.table(path, read)["text"][0] for _ in range(3)] == ["one"] * 3
    assert read.count == 1
    os.utime(_written(path, "two"), ns=(0, 0))
    assert held.table(path, read)["text"][0] == "two"
    os.utime(path, ns=(1, 1))
    held.table(path, read)
    assert read.count == 3


def test_what_a_caller_does_to_a_table_stays_with_it(tmp_path: Path):
    path = _written(tmp_path / "a.csv", "one")
    held, read = HeldTables(), Reader(path)
    for _ in range(2):
        table = held.table(path, read)
        assert table["text"].tolist() == ["one", "one"]
        table.loc[0, "text"] = "changed"


def test_ways_to_read_are_told_apart(tmp_path: Path):
    path = _written(tmp_path / "a.csv", "one")
    held, read = HeldTables(), Reader(path)
    for way in (True, False, True):
        held.table(path, read, way)
    assert read.count == 2


def test_the_oldest_tables_give_way(tmp_path: Path):
    held = HeldTables(most_rows=4)
    readers = [Reader(_written(tmp_path / name, name)) for name in "abc"]
    for reader in (*readers, *readers[1:], readers[0]):
        held.table(reader.path, reader)
    assert [reader.count for reader in readers] == [2, 1, 1]


def test_a_file_of_this_moment_and_a_missing_one_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = _written(tmp_path / "a.csv", "one")
    held, read = HeldTables(), Reader(path)
    monkeypatch.setattr(held_tables, "_SETTLED", time.time_ns())
    for _ in range(2):
        held.table(path, read)
    assert read.count == 2

    def fails() -> pd.DataFrame:
        raise UserError("nothing there")

    with pytest.raises(UserError, match="nothing there"):
        held.table(tmp_path / "b.csv", fails)
