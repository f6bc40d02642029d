from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from utils.errors import UserError
from utils.files.csv_table import CsvTable, csv_text, read_csv, write_csv


def _read(tmp_path: Path, text: str, **options: object) -> CsvTable:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    return read_csv(tmp_path / "t.csv", advice="make it again", **options)


def test_what_is_written_reads_back_to_the_last_bit(tmp_path: Path):
    table = pd.DataFrame({"id": ["001", "a,b", "é\n2"], "x": [0.1 + 0.2, np.nan, 1e-300], "n": [1, 2, 3]})
    write_csv(tmp_path / "new" / "t.csv", table)
    got = read_csv(tmp_path / "new" / "t.csv", advice="make it again").frame(text=("id",))
    pd.testing.assert_frame_equal(got, table.astype({"n": np.float64}), check_exact=True)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["t.csv"]


def test_cells_are_text_and_lines_are_counted_in_the_file(tmp_path: Path):
    table = _read(tmp_path, '\ufeffid, x \n\n001, 2\n   \n"a\nb",3\n')
    assert (table.header, table.rows) == (["id", "x"], [["001", " 2"], ["a\nb", "3"]])
    assert table.lines == [3, 6]  # of a cell of two lines the last
    assert table.column("id") == ["001", "a\nb"]
    np.testing.assert_array_equal(table.numbers("x"), [2.0, 3.0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no row below its header"),
        ("id,x\n", "holds no row below its header"),
        ("id,x,id\n1,2,3\n", r"two columns have the same name \(id, x, id\)"),
        ("id,x\n1,2\n1,2,3\n", "line 3 holds 3 cells, expected 2 as in the header"),
        ("id,x\n1\n", "line 2 holds 1 cell, expected 2 as in the header"),
        ("id,y\n1,2\n", r"column x is missing \(found id, y\)"),
        ('id,x\n"1,2\n', r"is no CSV text \(the quotation mark in line 2 before '1,2' is not closed\)"),
        ('id,x\n"1"1,2\n', r"is no CSV text \(line 2: ',' expected after '\"'\)"),
    ],
)
def test_a_damaged_file_is_named_with_advice(tmp_path: Path, text: str, message: str):
    with pytest.raises(UserError, match=rf"^{tmp_path}/t\.csv: {message}.*; make it again\.$") as caught:
        _read(tmp_path, text, required=("id", "x"))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path):
    with pytest.raises(UserError, match=r"none\.csv: cannot be read \(No such file or directory\); make it again\.$"):
        read_csv(tmp_path / "none.csv", advice="make it again")
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UserError, match="is no CSV text"):
        read_csv(tmp_path / "t.csv", advice="make it again")


def test_a_table_may_be_empty_where_that_means_something(tmp_path: Path):
    assert _read(tmp_path, "id,x\n", required=("x",), may_be_empty=True).rows == []
    assert _read(tmp_path, "", may_be_empty=True).header == []
    with pytest.raises(UserError, match=r"column x is missing \(found nothing\)"):
        _read(tmp_path, "", required=("x",), may_be_empty=True)


@pytest.mark.parametrize("cell", ["x", "1,5", "nan", "-inf", "1e999", "1_0", "١"])
def test_a_cell_that_is_no_finite_number_is_named(tmp_path: Path, cell: str):
    table = _read(tmp_path, f'id,x\na,1\nb,\nc,"{cell}"\n')
    with pytest.raises(UserError, match=f"column x, line 4: found '{cell}', expected a number; make it again"):
        table.numbers("x")
    with pytest.raises(UserError, match="column x, line 4"):
        table.frame(text=("id",))
    assert np.isnan(table.floats("x")[1])  # and no error: the caller says what is expected


def test_numbers_need_not_be_finite_where_that_means_something(tmp_path: Path):
    table = _read(tmp_path, "x,y\nnan,\n-inf,1\nNaN,word\n")
    np.testing.assert_array_equal(table.numbers("x", finite=False), [np.nan, -np.inf, np.nan])
    with pytest.raises(UserError, match="column y, line 4: found 'word'"):
        table.numbers("y", finite=False)


def test_text_of_rows_given_by_name():
    assert csv_text(("a", "b"), []) == "a,b\n"
    assert csv_text(("a", "b"), [{"b": None, "a": 0.1}, {"a": "x,y"}]) == 'a,b\n0.1,\n"x,y",\n'
    with pytest.raises(ValueError, match="c"):
        csv_text(("a", "b"), [{"a": 1, "c": 2}])
