from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from datasets.make_splits.label_table import read_label_table
from utils.errors import UserError

COLUMNS = ("case_id", "slide_id")


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def cells(path: Path, columns: tuple[str, ...] = COLUMNS) -> list[tuple[str, ...]]:
    return [tuple(row.cells[name] for name in columns) for row in read_label_table(path, columns).rows]


def test_named_columns_are_read_with_their_lines(tmp_path: Path):
    text = '\ufeffslide_id,, case_id ,gene\n s1.svs ,0,P1,0.5\n\n,1,,0.1\nnan,2,NA,3\ns2,3,"P,2",\nN/A,4,P3,<NA>\n'
    table = read_label_table(write(tmp_path / "t.csv", text), COLUMNS)
    assert [dict(row.cells) for row in table.rows] == [
        {"case_id": "P1", "slide_id": "s1.svs"},
        {"case_id": "P,2", "slide_id": "s2"},
        {"case_id": "P3", "slide_id": ""},
    ]
    assert [row.line for row in table.rows] == [2, 6, 7]
    assert table.sha256 == hashlib.sha256((tmp_path / "t.csv").read_bytes()).hexdigest()


def test_one_column_may_have_two_roles(tmp_path: Path):
    assert cells(write(tmp_path / "t.csv", "slide_id\ns1\n"), ("slide_id", "slide_id")) == [("s1", "s1")]


def test_lines_are_counted_through_cells_of_several_lines(tmp_path: Path):
    path = write(tmp_path / "t.csv", 'case_id,slide_id,note\r\nP1,s1,"two\r\nlines"\r\nP2,s2,\r\n')
    assert [row.line for row in read_label_table(path, COLUMNS).rows] == [3, 4]


def test_a_wide_zipped_table_reads_as_pandas_reads_it(tmp_path: Path):
    genes = [f"g{i}_rnaseq" for i in range(3000)]
    frame = pd.DataFrame(0.25, index=range(20), columns=genes)
    frame["slide_id"] = [f"s{i}.svs" for i in range(20)]
    frame.insert(700, "case_id", [f"P{i}" for i in range(20)])
    with zipfile.ZipFile(tmp_path / "t.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/t.csv", frame.to_csv())
        archive.writestr("__MACOSX/folder/._t.csv", b"\x00\x05")
        archive.writestr("README.txt", "notes")
    expected = pd.read_csv(pd.io.common.BytesIO(frame.to_csv().encode()), usecols=list(COLUMNS), dtype=str)
    assert cells(tmp_path / "t.csv.zip") == [tuple(row) for row in expected[list(COLUMNS)].to_numpy()]


def test_numbers_and_flags(tmp_path: Path):
    row = read_label_table(write(tmp_path / "t.csv", "a,b,c\n3.5,1.0,0\n"), "abc").rows[0]
    assert row.number("a", "x") == 3.5
    assert row.flag("b", "x") is True
    assert row.flag("c", "x") is False
    with pytest.raises(UserError, match=r"found '3\.5' in column a, line 2 of .*t\.csv: expected 0 or 1; correct it"):
        row.flag("a", "0 or 1")


@pytest.mark.parametrize("text", ["-1", "inf", "1:DECEASED", "[Not Available]", "-0.001", "1,5"])
def test_what_is_no_number_of_0_or_more(tmp_path: Path, text: str):
    row = read_label_table(write(tmp_path / "t.csv", f'a\n7\n"{text}"\n'), ["a"]).rows[1]
    with pytest.raises(
        UserError, match=r"in column a, line 3 of .*expected a time; correct it, or leave the cell blank"
    ):
        row.number("a", "a time")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"lacks the columns case_id, slide_id \(found no column\)"),
        ("case_id;slide_id\n", r"lacks the columns case_id, slide_id \(found case_id;slide_id\): name yours"),
        ("slide_id,b\n", r"lacks the columns case_id \(found slide_id, b\)"),
        (",".join(f"c{i}" for i in range(25)), r"found c0, c1, .*, c19, \.\.\. \(25 in all\)\)"),
        ("case_id,slide_id,case_id\n1,2,3\n", "has the column case_id twice"),
        ("case_id,slide_id\n", "has no rows: expected one per slide"),
        ("case_id,slide_id,a\n,,5\n", "has no rows: expected one per slide"),
        ("case_id,slide_id\nP1,s1\n1,P2,s2\n", "line 3 of .* has 3 cells where the header has 2"),
        ("case_id,slide_id,a\nP1,s1,1\nP2,s", "line 3 of .* has 2 cells where the header has 3"),
        ("case_id,slide_id\nP1,s\udcff\n", "is not CSV text in UTF-8"),
        ("case_id,slide_id\nP1," + "x" * 140_000 + "\n", "is not CSV text in UTF-8"),
    ],
)
def test_refused_tables(tmp_path: Path, text: str, message: str):
    (tmp_path / "t.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=message):
        read_label_table(tmp_path / "t.csv", COLUMNS)


@pytest.mark.parametrize(
    ("names", "message"),
    [((), r"holds 0 \.csv files \(none\)"), (("a.csv", "b.csv"), r"holds 2 \.csv files \(a\.csv, b\.csv\)")],
)
def test_a_zip_holds_exactly_one_table(tmp_path: Path, names: tuple[str, ...], message: str):
    with zipfile.ZipFile(tmp_path / "t.csv.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "case_id,slide_id\nP1,s1\n")
    with pytest.raises(UserError, match=message + ": expected exactly one"):
        read_label_table(tmp_path / "t.csv.zip", COLUMNS)


def test_a_damaged_zip(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.csv", "case_id,slide_id\n" + "P1,s1\n" * 500)
    content = bytearray((tmp_path / "t.zip").read_bytes())
    for name, damaged in {"cut": content[:40], "changed": content[:50] + b"\xff" * 10 + content[60:]}.items():
        (tmp_path / f"{name}.zip").write_bytes(damaged)
        with pytest.raises(UserError, match=r"cannot be unzipped .*: zip the table again"):
            read_label_table(tmp_path / f"{name}.zip", COLUMNS)
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag of an encrypted member, in the list of members
    content[6] |= 1  # and before the member itself
    (tmp_path / "locked.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot be unzipped .*without a password"):
        read_label_table(tmp_path / "locked.zip", COLUMNS)


def test_a_file_that_is_not_there_or_no_table(tmp_path: Path):
    with pytest.raises(UserError, match=r"none\.csv cannot be read \(No such file or directory\)"):
        read_label_table(tmp_path / "none.csv", COLUMNS)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match=r"folder\.csv cannot be read \(Is a directory\)"):
        read_label_table(tmp_path / "folder.csv", COLUMNS)
    with pytest.raises(UserError, match=r"ends in \.xlsx: expected \.csv or \.csv\.zip"):
        read_label_table(tmp_path / "t.xlsx", COLUMNS)
