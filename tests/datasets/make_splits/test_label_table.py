from __future__ import annotations

import csv
import hashlib
import io
import re
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.make_splits.label_table import read_label_table
from utils.errors import UserError
from utils.files.plain_text import plain_text

COLUMNS = ("case_id", "slide_id")


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def cells(path: Path, columns: tuple[str, ...] = COLUMNS) -> list[tuple[str, ...]]:
    return [tuple(row.cells[name] for name in columns) for row in read_label_table(path).rows(columns)]


def test_named_columns_are_read_with_their_lines(tmp_path: Path):
    text = '\ufeffslide_id,, case_id ,gene\n s1.svs ,0,P1,0.5\n\n,1,,0.1\nnan,2,NA,3\ns2,3,"P,2",\nN/A,4,P3,<NA>\n'
    table = read_label_table(write(tmp_path / "t.csv", text))
    rows = table.rows(COLUMNS)
    assert [dict(row.cells) for row in rows] == [
        {"case_id": "P1", "slide_id": "s1.svs"},
        {"case_id": "P,2", "slide_id": "s2"},
        {"case_id": "P3", "slide_id": "N/A"},
    ]
    assert [row.line for row in rows] == [2, 6, 7]
    assert table.header == ("slide_id", "", "case_id", "gene")
    assert table.sha256 == hashlib.sha256((tmp_path / "t.csv").read_bytes()).hexdigest()
    assert (table.source, table.notes) == ({"separator": ",", "encoding": "utf-8-sig"}, ())


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_cell_in_any_writing_reads_back(notes: list[str], separator: str, encoding: str, newline: str):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=newline)
    writer.writerows([["case_id", "note", "slide_id"], *([f"P{i}", note, "s"] for i, note in enumerate(notes))])
    with tempfile.TemporaryDirectory() as place:
        read = cells(write(Path(place) / "t", text.getvalue(), encoding), ("case_id", "note"))
    assert read == [(f"P{i}", plain_text(note)) for i, note in enumerate(notes)]


def test_what_looks_the_same_is_the_same(tmp_path: Path):
    text = "slide_id,Gro\u0308\u00dfe  T\nmu\u0308ller\u20111,muzino\u0308s\u00a0\u00a0Ca\n"
    assert cells(write(tmp_path / "t.csv", text), ("slide_id", "Größe T")) == [("müller-1", "muzinös Ca")]


def test_one_column_may_have_two_roles(tmp_path: Path):
    assert cells(write(tmp_path / "t.csv", "slide_id\ns1\n"), ("slide_id", "slide_id")) == [("s1", "s1")]


def test_lines_are_counted_through_cells_of_several_lines(tmp_path: Path):
    path = write(tmp_path / "t.csv", 'case_id,slide_id,note\r\nP1,s1,"two\r\nlines"\r\nP2,s2,\r\n')
    assert [row.line for row in read_label_table(path).rows(COLUMNS)] == [3, 4]


def test_a_zip_of_20_000_genes_reads_as_pandas_reads_it_and_in_seconds(tmp_path: Path):
    genes = [f"g{i}_rnaseq" for i in range(20_000)]
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 20_000)).round(4), columns=genes)
    frame["slide_id"] = [f"s{i}.svs" for i in range(40)]
    frame.insert(700, "case_id", [f"P{i}" for i in range(40)])
    text = frame.to_csv()
    with zipfile.ZipFile(tmp_path / "t.csv.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("../dataset_csv/t.csv.zip", text)
    begin = time.process_time()
    read = cells(tmp_path / "t.csv.zip")
    assert time.process_time() - begin < 5
    expected = pd.read_csv(io.StringIO(text), usecols=list(COLUMNS), dtype=str)
    assert read == [tuple(row) for row in expected[list(COLUMNS)].to_numpy()]


def test_a_workbook_whatever_it_is_called(tmp_path: Path):
    book = openpyxl.Workbook()
    for row in (["case_id", "slide_id", "t"], [7, "s1", 1.5], ["P2", "s2", None]):
        book.active.append(row)
    book.create_sheet("notes")
    book.save(tmp_path / "t.xlsx")
    (tmp_path / "t.xlsx").rename(tmp_path / "t.csv")
    table = read_label_table(tmp_path / "t.csv")
    assert table.notes == ("read the sheet 'Sheet' of t.csv, the first of 2 (--sheet names another)",)
    assert table.source == {"sheet": "Sheet"}
    assert [tuple(row.cells.values()) for row in table.rows(("case_id", "t"))] == [("7", "1.5"), ("P2", "")]
    assert read_label_table(tmp_path / "t.csv", sheet="Sheet").notes == ()
    with pytest.raises(UserError, match="is a workbook: leave out --separator and --encoding"):
        read_label_table(tmp_path / "t.csv", separator=";")
    with pytest.raises(UserError, match=r"t\.txt is no workbook: leave out --sheet"):
        read_label_table(write(tmp_path / "t.txt", "a,b\n"), sheet="Sheet")


def test_lines_that_describe_the_columns_of_a_tcga_file(tmp_path: Path):
    lines = ["bcr_patient_barcode\tvital_status", "bcr_patient_barcode\tvital_status", "CDE_ID:2673794\tCDE_ID:5"]
    table = read_label_table(write(tmp_path / "t.txt", "\n".join([*lines, "TCGA-2F-A9KO\tAlive", ""])))
    assert [(row.line, row.cells["vital_status"]) for row in table.rows(["vital_status"])] == [(4, "Alive")]
    assert table.notes[1] == "skipped the 2 lines below the header of t.txt that describe its columns (CDE_ID)"


@pytest.mark.parametrize(
    "lines",
    [
        ["Table S1. Patients, in all;;", ";;", "case_id;slide_id;t", "P1;a;1"],
        ["Table S1. Patients", "of the cohort", "case_id;slide_id;t", "P1;a;1", "P2;b;2"],
    ],
)
def test_titles_above_the_header_are_skipped(tmp_path: Path, lines: list[str]):
    table = read_label_table(write(tmp_path / "t.csv", "\n".join(lines)))
    assert table.header == ("case_id", "slide_id", "t")
    row = table.rows(COLUMNS)[0]
    assert (row.line, row.cells["slide_id"]) == (lines.index("P1;a;1") + 1, "a")
    skipped = [note for note in table.notes if note.startswith("skipped the ")]
    assert len(skipped) == 1
    assert re.fullmatch(r"skipped the [12] lines? above the header of t\.csv: Table S1\. Patients.*", skipped[0])


@pytest.mark.parametrize("text", ["slide_id\ns1\ns2\n", ",slide_id\n0,s1\n1,s2\n", "slide_id\ns1\n"])
def test_a_header_of_one_name_is_no_title(tmp_path: Path, text: str):
    table = read_label_table(write(tmp_path / "t.csv", text))
    assert table.notes == ()
    assert table.rows(["slide_id"])[0].cells["slide_id"] == "s1"


def test_numbers(tmp_path: Path):
    row = read_label_table(write(tmp_path / "t.csv", "a,b,c,d\n3.5,1e2,0,.5\n")).rows("abcd")[0]
    assert [row.number(name, "x") for name in "abcd"] == [3.5, 100.0, 0.0, 0.5]
    semicolons = read_label_table(write(tmp_path / "t.csv", "a;b\n12,5;7\n")).rows("ab")[0]
    assert [semicolons.number(name, "x", decimal_comma=True) for name in "ab"] == [12.5, 7.0]


@pytest.mark.parametrize(
    "text", ["-1", "inf", "nan", "1e999", "1:DECEASED", "[Not Available]", "-0.001", "1,5", "1_000"]
)
def test_what_is_no_number_of_0_or_more(tmp_path: Path, text: str):
    row = read_label_table(write(tmp_path / "t.csv", f'a,b\n7,1\n"{text}",1\n')).rows("ab")[1]
    with pytest.raises(
        UserError,
        match=r"in column a, line 3 of .*expected a time; correct it, or leave the cell blank to leave the row",
    ):
        row.number("a", "a time")


@pytest.mark.parametrize(
    ("numbers", "example"),
    [
        (["1", "2.5", "NA"], None),
        (["12,5", "3", "NA"], "12,5"),
        (["1,234", "12,5"], "1,234"),  # a comma that is decimal in one is so in all
        (["0,125"], "0,125"),
        (["-1,5"], "-1,5"),
    ],
)
def test_decimal_commas(tmp_path: Path, numbers: list[str], example: str | None):
    table = read_label_table(write(tmp_path / "t.csv", "\n".join(["t;b", *(f"{text};x" for text in numbers)])))
    assert table.decimal_comma(table.rows("tb"), "t") == example


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["t;b", "1,234;x", "12,345;x"], r"column t of .*t\.csv holds '1,234', which may be a decimal comma or thous"),
        (["t;b", "1.234,5;x"], r"holds 1\.234,5, where commas and points may mean decimals or thousands: write numb"),
        (["t;b", "1,234,567;x"], r"holds 1,234,567, where"),
        (["t;b", "1,5;x", "2.5;x"], r"holds '1,5' and '2\.5', where"),
        (["t,b", '"1,5",x'], r"holds '1,5', a number with a comma: write numbers without"),
    ],
)
def test_commas_that_may_mean_two_things(tmp_path: Path, lines: list[str], message: str):
    table = read_label_table(write(tmp_path / "t.csv", "\n".join(lines)))
    with pytest.raises(UserError, match=message):
        table.decimal_comma(table.rows("tb"), "t")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"lacks the column case_id \(found no column\)"),
        ("slide_id,b\n1,2\n", r"lacks the column case_id \(found slide_id, b\): add it"),
        (",".join(f"c{i}" for i in range(25)), r"found c0, c1, .*, c19, \.\.\. \(25 in all\)\)"),
        ("# a\n# case_id,slide_id\nb,c\n1,2\n", r"\(found b, c; skipped the 2 lines of t\.csv before its header"),
        ("case_id,slide_id,case_id\n1,2,3\n", "has the column case_id twice"),
        ("case_id,slide_id\n", "has no rows: expected one per slide"),
        ("case_id,slide_id,a\n,,5\n", "has no rows: expected one per slide"),
        ("case_id,slide_id\nP1,s1\n1,P2,s2\n", "line 3 of .* has 3 cells where the header has 2"),
        ("case_id,slide_id\nP1\n", "line 2 of .* has 1 cell where the header has 2"),
        (
            'case_id,slide_id\n"P1,s1\nP2,s2\nP3,"s3"\nP4,s4\n',
            r"lines 2 to 4 of .* are one row of 1 cell, by their .* has 2: .*; correct the quotation marks of line 2$",
        ),
        ("case_id,slide_id,a\nP1,s1,1\nP2,s", "line 3 of .* has 2 cells where the header has 3"),
    ],
)
def test_refused_tables(tmp_path: Path, text: str, message: str):
    with pytest.raises(UserError, match=message):
        read_label_table(write(tmp_path / "t.csv", text)).rows(COLUMNS)


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(UserError, match=r"none\.csv cannot be read \(No such file or directory\)"):
        read_label_table(tmp_path / "none.csv")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_label_table(tmp_path)
