from __future__ import annotations

from pathlib import Path

import pytest

from utils.errors import UserError
from utils.files.atomic import write_json
from utils.files.json_object import read_json_object


def test_what_is_written_is_read(tmp_path: Path):
    value = {"name": "é", "values": [0.1, None], "more": {"a": True}}
    write_json(tmp_path / "a.json", value)
    assert read_json_object(tmp_path / "a.json", advice="make it again") == value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"cannot be read \(No such file or directory\)"),
        (b"", r"is no JSON text \(.*\)"),
        (b"{", r"is no JSON text \(.*\)"),
        (b"\xff\xfe", r"is no JSON text \(.*\)"),
        (b"[1]", "holds list, expected a JSON object"),
    ],
)
def test_a_damaged_file_is_named_with_advice(tmp_path: Path, content: bytes | None, message: str):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=rf"^{tmp_path}/a\.json: {message}; make it again\.$"):
        read_json_object(tmp_path / "a.json", advice="make it again")
