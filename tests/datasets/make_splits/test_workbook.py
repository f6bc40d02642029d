from __future__ import annotations

import builtins
import datetime
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from datasets.make_splits.workbook import read_sheet
from utils.errors import UserError

PATH = Path("t.xlsx")


def workbook(**sheets: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_cells_as_text():
    rows = [
        ["case_id", "months", "note"],
        [12, 12.5, " Köln "],
        [None, None, None],
        [3.0, True, datetime.datetime(2024, 5, 31)],
        ["007", None, datetime.datetime(2024, 5, 31, 12, 30)],
        ["P1"],
    ]
    name, names, read = read_sheet(PATH, workbook(labels=rows))
    assert (name, names) == ("labels", ["labels"])
    assert read == [
        (1, ["case_id", "months", "note"]),
        (2, ["12", "12.5", "Köln"]),
        (4, ["3", "TRUE", "2024-05-31"]),
        (5, ["007", "", "2024-05-31 12:30:00"]),
        (6, ["P1", "", ""]),
    ]


def test_the_first_sheet_or_the_one_that_is_named():
    content = workbook(notes=[["a"]], labels=[["b"]])
    assert read_sheet(PATH, content) == ("notes", ["notes", "labels"], [(1, ["a"])])
    assert read_sheet(PATH, content, "labels") == ("labels", ["notes", "labels"], [(1, ["b"])])
    with pytest.raises(UserError, match=r"t\.xlsx has no sheet 'x': expected --sheet to name one of notes, labels"):
        read_sheet(PATH, content, "x")


def test_an_empty_sheet():
    assert read_sheet(PATH, workbook(labels=[]))[2] == []


def test_damaged_workbooks():
    content = workbook(labels=[["a", "b"], [1, 2]])
    for damaged in (content[:200], content[:-40], content[:100] + bytes(100) + content[200:]):
        with pytest.raises(UserError, match=r"t\.xlsx is a damaged Excel workbook \([^\n]+\): save it again") as error:
            read_sheet(PATH, damaged)
        assert "\n" not in str(error.value)


def test_openpyxl_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("openpyxl"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"openpyxl, .* is not installed: run bash script/setup\.sh --with-extras"):
        read_sheet(PATH, b"PK")
