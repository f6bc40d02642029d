"""One reason for all that reading a damaged file may raise, and the system's own words where it is the system."""

from __future__ import annotations

import errno
import json
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from safetensors import SafetensorError

from utils.errors import UserError
from utils.files.tensors import damage_told, names_found

PATH = Path("features/s.pt")


def told(error: BaseException) -> str:
    with pytest.raises(UserError) as raised, damage_told(PATH, lambda reason: f"{PATH} is damaged ({reason}): redo it"):
        raise error
    return str(raised.value)


@pytest.mark.parametrize(
    "error",
    [
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        AssertionError("x"),
        ValueError("x"),
        struct.error("x"),
        NotImplementedError("x"),
        RecursionError("x"),
        OverflowError("x"),
        MemoryError("x"),
        KeyError("x"),
        IndexError("x"),
        TypeError("x"),
        AttributeError("x"),
        EOFError("x"),
        SystemError("x"),
        ImportError("x"),
        BufferError("x"),
        SyntaxError("x"),
        zipfile.BadZipFile("x"),
        zlib.error("x"),
        SafetensorError("x"),
        pickle.UnpicklingError("x"),
        json.JSONDecodeError("x", "", 0),
        OSError("the file ends before byte 7"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_each_error_is_the_one_error(error: Exception):
    sentence = told(error)
    assert sentence.startswith("features/s.pt is damaged (")
    assert sentence.endswith("): redo it")


def test_a_reason_is_one_line_of_what_can_be_seen():
    assert r"(a\x1b[2J\x00)" in told(ValueError("a\x1b[2J\0\nmore"))


def test_what_the_system_says_is_no_damage():
    sentence = told(PermissionError(errno.EACCES, "Permission denied", str(PATH)))
    assert sentence.startswith("features/s.pt cannot be read (Permission denied): ")
    assert "damaged" not in told(OSError(errno.EIO, "Input/output error"))


def test_a_sentence_stays_as_it_is():
    assert told(UserError("has no features: add them")) == "has no features: add them"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interruption_is_no_damage(error: BaseException):
    with pytest.raises(type(error)), damage_told(PATH, str):
        raise error


def test_names_of_any_kind_are_one_short_line():
    assert names_found({"a": 1, "b\n\x1b[2J": 2, (1, 2): 3, 7: 4, b"c": 5, "f": 6}) == r"a, b\n\x1b[2J, ?, 7, ?"
    assert len(names_found(["x" * 10**6] * 10)) < 250
