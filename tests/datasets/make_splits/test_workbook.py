from __future__ import annotations

import builtins
import datetime
import io
import zipfile
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
    read = read_sheet(PATH, workbook(labels=rows))
    assert (read.name, read.names) == ("labels", ["labels"])
    assert list(read.records()) == [
        (1, ["case_id", "months", "note"]),
        (2, ["12", "12.5", "Köln"]),
        (4, ["3", "TRUE", "2024-05-31"]),
        (5, ["007", "", "2024-05-31 12:30:00"]),
        (6, ["P1", "", ""]),
    ]


def test_the_first_sheet_or_the_one_that_is_named():
    content = workbook(notes=[["a"]], labels=[["b"]])
    assert read_sheet(PATH, content) == ("notes", ["notes", "labels"], [(1, ["a"])], 1)
    assert read_sheet(PATH, content, "labels") == ("labels", ["notes", "labels"], [(1, ["b"])], 1)
    with pytest.raises(UserError, match=r"t\.xlsx has no sheet 'x': expected --sheet to name one of notes, labels"):
        read_sheet(PATH, content, "x")


def test_an_empty_sheet():
    assert read_sheet(PATH, workbook(labels=[])).rows == []


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


def with_rows(content: bytes, rows: str) -> bytes:
    """The workbook with these rows, as XML, in its first sheet."""
    name, start = "xl/worksheets/sheet1.xml", "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            sheet = f'<worksheet xmlns="{start}"><sheetData>{rows}</sheetData></worksheet>'
            new.writestr(member, sheet if member == name else old.read(member))
    return changed.getvalue()


def test_a_row_whose_number_is_beyond_the_last_of_excel_is_not_waited_for():
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="99999999999"><c r="A99999999999"><v>2</v></c></row>'
    assert read_sheet(PATH, with_rows(workbook(labels=[]), rows)).rows == [(1, ["1"])]


def test_cells_far_from_the_table_are_refused(monkeypatch: pytest.MonkeyPatch):
    rows = "".join(f'<row r="{k}"><c r="A{k}"><v>1</v></c></row>' for k in range(1, 50))
    content = with_rows(workbook(labels=[]), rows + '<row r="50"><c r="CV50"><v>1</v></c></row>')
    assert [len(cells) for _, cells in read_sheet(PATH, content).records()] == [100] * 50
    monkeypatch.setattr("datasets.make_splits.workbook._MOST_CELLS", 4999)
    with pytest.raises(UserError, match="holds 50 rows and more, of up to 100 cells, most of them empty: remove"):
        read_sheet(PATH, content)
