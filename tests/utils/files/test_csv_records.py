from __future__ import annotations

import csv

import pytest

from utils.files.csv_records import csv_records


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("", []),
        ("a;b", [(1, ["a", "b"])]),
        ('a;b\n\n1;"x\ny"\r\n2;"""q"""', [(1, ["a", "b"]), (2, []), (4, ["1", "x\ny"]), (5, ["2", '"q"'])]),
        ('a\n"', None),
        ('a\n""', [(1, ["a"]), (2, [""])]),
    ],
)
def test_records_have_the_number_of_their_last_line(
    text: str, records: list[tuple[int, list[str]]] | None, strict: bool
) -> None:
    found = csv_records(lines(text), separator=";", strict=strict)
    if records is not None:
        assert list(found) == records
        return
    with pytest.raises(csv.Error, match=r"^the quotation mark in line 2 before '' is not closed$"):
        list(found)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("text", "line", "before"),
    [
        ('a,b\ns,"t', 2, "t"),
        ('a,b\ns,"t\n', 2, "t"),
        ('a,b\ns,"t\n\n', 2, "t"),
        ('a,b\n"two\nlines","t,1\n1,2\n3,4\n', 3, "t,1"),
        ('a,b\n1,2\n3,"', 3, ""),
        ('a,b\n1,"\n', 2, ""),
    ],
)
def test_an_open_quotation_mark_is_found(text: str, line: int, before: str, strict: bool, end: str) -> None:
    """Records above it are read; the csv module alone takes the rest of the text for one cell."""
    found = csv_records(lines(text.replace("\n", end)), strict=strict, n_above=3)
    assert next(found) == (4, ["a", "b"])
    with pytest.raises(csv.Error, match=f"^the quotation mark in line {line + 3} before '{before}' is not closed$"):
        list(found)


def test_a_cell_without_end_is_named_by_the_line_where_its_record_begins() -> None:
    before = csv.field_size_limit(100)
    try:
        with pytest.raises(csv.Error, match=r"^lines 2 to \d+: field larger .*; is a quotation mark of line 2 not"):
            list(csv_records(lines('a,b\n1,"' + "1,2\n" * 100)))
        with pytest.raises(csv.Error, match=r"^line 2: field larger than field limit \(100\)$"):
            list(csv_records(["a,b\n", "x" * 101]))
    finally:
        csv.field_size_limit(before)
