from __future__ import annotations

import json
from pathlib import Path

import pytest

from utils.files.atomic import atomic_path, write_json, write_text


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as temporary:
        assert (temporary.parent, temporary.suffix, temporary.name[0]) == (path.parent, ".txt", ".")
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path: Path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_json_is_indented_utf_8_and_never_holds_nan(tmp_path: Path):
    path = tmp_path / "a.json"
    write_json(path, {"name": "é", "values": (1, None)})
    assert path.read_bytes() == '{\n  "name": "é",\n  "values": [\n    1,\n    null\n  ]\n}\n'.encode()
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "é", "values": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"value": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8"))["values"] == [1, None]
