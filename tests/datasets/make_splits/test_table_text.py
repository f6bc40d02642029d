from __future__ import annotations

from pathlib import Path

import pytest

from datasets.make_splits import table_text
from datasets.make_splits.table_text import TableText, read_text
from utils.errors import UserError

PATH = Path("t.csv")
LINES = "slide_id;Größe\ns1;Müller\ns2;x\n"


def cells(text: TableText) -> list[list[str]]:
    return [cells for _, cells in text.records()]


@pytest.mark.parametrize(
    ("encoding", "found", "note"),
    [
        ("utf-8", "utf-8", None),
        ("utf-8-sig", "utf-8-sig", None),
        ("utf-16", "utf-16", "the encoding of t.csv is UTF-16"),
        ("utf-32", "utf-32", "the encoding of t.csv is UTF-32"),
        ("utf-16-le", "utf-16-le", "the encoding of t.csv is UTF-16-LE, as its bytes show"),
        ("utf-16-be", "utf-16-be", "the encoding of t.csv is UTF-16-BE, as its bytes show"),
        (
            "cp1252",
            "cp1252",
            "t.csv is no UTF-8: cp1252 (Western European) was assumed, with 'Größe' as the first word that needs it "
            "(--encoding names another)",
        ),
    ],
)
def test_encodings(encoding: str, found: str, note: str | None):
    text = read_text(PATH, LINES.encode(encoding))
    assert text.encoding == found
    assert cells(text) == [["slide_id", "Größe"], ["s1", "Müller"], ["s2", "x"]]
    semicolons = "the columns of t.csv are separated by the semicolon"
    assert text.notes == ((note, semicolons) if note else (semicolons,))


def test_latin_1_where_cp1252_has_no_such_character():
    text = read_text(PATH, "a,b\nx\x81,ü\n".encode("latin-1"))
    assert text.encoding == "latin-1"
    assert cells(text)[1] == ["x\x81", "ü"]


def test_the_first_word_is_found_beyond_the_first_piece():
    content = b"a,b\n" + b"0123456,1\n" * 200_000 + "K\xf6ln,1\n".encode("latin-1")
    assert "'Köln' as the first word" in read_text(PATH, content).notes[0]
    whole = b"a,b\n" + b"x" * (2**20 - 5) + "é,1\n".encode()  # a character over the end of a piece
    assert read_text(PATH, whole).encoding == "utf-8"


def test_an_encoding_that_a_user_names():
    text = read_text(PATH, "a,b\nł,1\n".encode("cp1250"), encoding="cp1250")
    assert (cells(text)[1], text.notes) == (["ł", "1"], ())
    for encoding in ("no-such", "hex", "rot13"):
        with pytest.raises(UserError, match=f"--encoding is '{encoding}', which is unknown"):
            read_text(PATH, b"a,b\n", encoding=encoding)
    wrong = read_text(PATH, "a,b\né,1\n".encode("latin-1"), encoding="utf-8")
    with pytest.raises(UserError, match=r"is not text in utf-8 \(.*\): save it .*, or name its encoding with --encod"):
        cells(wrong)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + bytes(20), b"a,b\n1\x00,2\n", b"\x01\x02\x03"])
def test_bytes_that_are_no_text(content: bytes):
    with pytest.raises(UserError, match=r"t\.csv is no text \(byte \d+ is b'.+'\): give a \.csv, \.tsv or \.xlsx"):
        read_text(PATH, content)


@pytest.mark.parametrize(("separator", "name"), [(",", None), (";", "semicolon"), ("\t", "tab"), ("|", "vertical bar")])
def test_separators(separator: str, name: str | None):
    lines = ["slide_id", "a;b,c|d,e", "label"], ["s1", 'one "two"', "x,y"], ["s2", "", "A"]
    content = "\n".join(separator.join(f'"{cell.replace(chr(34), 2 * chr(34))}"' for cell in line) for line in lines)
    text = read_text(PATH, content.encode())
    assert cells(text) == list(lines)
    assert text.notes == ((f"the columns of t.csv are separated by the {name}",) if name else ())


def test_the_separator_that_suits_the_lines_below_the_header_too():
    content = b"slide_id|a,b,c,d,e\ns1|x\ns2|y\n"
    assert cells(read_text(PATH, content))[1] == ["s1", "x"]


def test_one_column_and_nothing():
    assert cells(read_text(PATH, b"slide_id\ns1\n")) == [["slide_id"], ["s1"]]
    assert cells(read_text(PATH, b"")) == []


@pytest.mark.parametrize("named", [";", "semicolon", "Semicolon"])
def test_a_separator_that_a_user_names(named: str):
    text = read_text(PATH, b"a,b,c;d\n1,2,3;4\n", separator=named)
    assert (cells(text)[0], text.notes) == (["a,b,c", "d"], ())
    assert cells(read_text(PATH, b"a,b\tc\n", separator="\\t"))[0] == ["a,b", "c"]


@pytest.mark.parametrize("named", ["", "ab", '"', "x"])
def test_what_is_no_separator(named: str):
    with pytest.raises(UserError, match=r"--separator is .*: expected one character, or one of comma, semicolon, tab"):
        read_text(PATH, b"a,b\n", separator=named)


def test_comments_and_the_line_of_excel_before_the_header_are_skipped():
    comments = "#Patient Identifier\tStatus\n#STRING\tSTRING\n#1\t1\n#PATIENT\tx\n"
    text = read_text(PATH, f"{comments}PATIENT_ID\tOS_STATUS\nP1\t1:DECEASED\n#2\t0:LIVING\n".encode())
    assert [line for line, _ in text.records()] == [5, 6, 7]  # as an editor numbers them
    assert cells(text)[2] == ["#2", "0:LIVING"]  # below the header, # begins an id
    assert text.notes[0] == "skipped the 4 lines of t.csv before its header that begin with #"
    excel = read_text(PATH, "sep=|\na;b|c\n1|2\n".encode("utf-8-sig"))
    assert cells(excel) == [["a;b", "c"], ["1", "2"]]


def test_lines_without_a_filled_cell_are_left_out():
    assert list(read_text(PATH, b"\n,,\na,b\n\n , \n1,2\n").records()) == [(3, ["a", "b"]), (6, ["1", "2"])]


def test_a_quotation_mark_that_is_not_closed():
    text = 'a,b\n1,"two\nlines"\ns,"t\n'
    for content in (text, "# made by hand\n" + text, text + "1,2\n" * 3):
        line = 5 if content.startswith("#") else 4
        with pytest.raises(UserError, match=f"is no CSV text \\(the quotation mark in line {line} before 't' is not"):
            cells(read_text(PATH, content.encode()))
    content = text + "1,2\n" * 40_000
    with pytest.raises(
        UserError, match=r"\(lines 4 to \d+: field larger .*; is a quotation mark of line 4 not closed\?"
    ):
        cells(read_text(PATH, content.encode()))


def test_lines_that_are_longer_than_any_of_a_table(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(table_text, "_LONGEST_LINE", 100)
    lines = "slide_id,label\n" + "s,1\n" * 100
    assert len(cells(read_text(PATH, lines.encode()))) == 101
    assert len(cells(read_text(PATH, lines.replace("\n", "\r").encode()))) == 101
    for long in ("x" * 101, lines + "x" * 101 + "\n" + lines):
        with pytest.raises(UserError, match="has a line of more than 100 bytes, which is no row of a table"):
            read_text(PATH, long.encode())


def test_lines_of_more_cells_than_any_of_a_table(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(table_text, "_MOST_COLUMNS", 5)
    assert cells(read_text(PATH, b"a,b,c,d,e\n")) == [["a", "b", "c", "d", "e"]]
    with pytest.raises(UserError, match=r"a line of the label table t\.csv has more than 5 cells"):
        read_text(PATH, b"a,b,c,d,e,f\n")
    late = read_text(PATH, b"a,b\n" * 20 + b"1,2,3,4,5,6\n")
    with pytest.raises(UserError, match="has more than 5 cells"):
        cells(late)
