from __future__ import annotations

from pathlib import Path

import pytest

from utils.errors import UserError
from utils.files.format_version import VERSION, check_version, versioned


def test_the_version_comes_first_and_is_the_present_one():
    assert list(versioned({"a": 1, "format": 0}).items()) == [("format", VERSION), ("a", 1)]


@pytest.mark.parametrize("content", [{}, {"format": 0}, {"format": VERSION}, {"format": VERSION, "new": 1}])
def test_older_files_are_read(content: dict):
    check_version(content, Path("run.json"))


@pytest.mark.parametrize("version", [-1, "1", None, True, 1.0, [], "x" * 1000])
def test_what_is_no_version_is_refused(version: object):
    with pytest.raises(UserError, match=rf"^run\.json: format is '.{{1,40}}', expected a version from 0 to {VERSION}"):
        check_version({"format": version}, Path("run.json"))


def test_a_later_version_is_refused():
    with pytest.raises(UserError) as error:
        check_version({"format": VERSION + 1}, Path("run.json"))
    assert str(error.value) == (
        f"run.json was written by a later version of this code (format {VERSION + 1}, known up to {VERSION}): update "
        "this checkout"
    )
