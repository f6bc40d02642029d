from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.utils.explain.anchor_tables import random_counts, shares_of
from utils.errors import UserError
from utils.explain.anchor_shares import (
    AnchorShares,
    attention_matrix,
    n_anchors_of,
    read_anchor_shares,
    share_matrix,
    write_anchor_shares,
)


def test_a_hand_worked_case():
    shares = AnchorShares(3)
    shares.add("001", ["a", "b"], np.array([0.1, 0.2, 0.3, 0.05]), np.array([2, 0, 2, 2]))
    shares.add("2", ["c"], np.array([1.0], dtype=np.float32), np.array([1], dtype=np.int32))
    table = shares.table()
    assert list(table.columns) == ["case_id", "slide_ids", "n_patches"] + [
        f"{name}_{k}" for name in ("share", "attention") for k in range(3)
    ]
    assert table["case_id"].tolist() == ["001", "2"]
    assert table["slide_ids"].tolist() == ["a;b", "c"]
    assert table["n_patches"].tolist() == [4, 1]
    assert n_anchors_of(table) == 3
    np.testing.assert_allclose(share_matrix(table), [[0.25, 0, 0.75], [0, 1, 0]])
    np.testing.assert_allclose(attention_matrix(table), [[0.2, 0, 0.45], [0, 1, 0]])


def test_what_is_written_reads_back_to_the_last_bit(tmp_path: Path):
    table = shares_of(random_counts(7, 64, seed=0))
    table.loc[0, "case_id"] = "007"
    write_anchor_shares(tmp_path / "fold0" / "anchor_shares.csv", table)
    assert [path.name for path in (tmp_path / "fold0").iterdir()] == ["anchor_shares.csv"]
    again = read_anchor_shares(tmp_path / "fold0" / "anchor_shares.csv")
    assert again["case_id"].iloc[0] == "007"
    assert again.dtypes["n_patches"] == np.int64
    assert again.equals(table)


@pytest.mark.parametrize(
    ("attention", "nearest", "message"),
    [
        ([], [], r"of one shape \(N,\)"),
        ([0.1, 0.2], [0], r"of one shape \(N,\)"),
        ([0.1, 0.2], [0, 3], "anchors from 0 to 2"),
        ([0.1, 0.2], [0, -1], "anchors from 0 to 2"),
        ([0.1, 0.2], [0.0, 1.0], "as integers"),
        ([0.1, -0.1], [0, 1], "attention of 0 or more"),
        ([0.8, 0.4], [0, 1], "a sum of at most 1, got a sum of 1.2"),
        ([0.1, np.nan], [0, 1], "attention of 0 or more"),
    ],
)
def test_what_is_no_case_is_refused(attention: list, nearest: list, message: str):
    with pytest.raises(ValueError, match=f"P7: expected .*{message}"):
        AnchorShares(3).add("P7", ["s"], np.array(attention), np.array(nearest))


def test_an_empty_table_and_a_slide_twice_are_refused():
    shares = AnchorShares(1)
    with pytest.raises(ValueError, match="no case"):
        shares.table()
    for _ in range(2):
        shares.add("P", ["s"], np.array([0.5]), np.array([0]))
    with pytest.raises(ValueError, match="slides that no line above has"):
        shares.table()
    with pytest.raises(ValueError, match="n_anchors: expected at least 1, got 0"):
        AnchorShares(0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("share_0", "portion_0", "column share_0 is missing"),
        ("attention_1", "attention_2", "expected the columns case_id, slide_ids, n_patches, share_0 .. share_1"),
        ("S0,4,", "S0,4.5,", "n_patches, line 2"),
        ("S0,4,", "S0,,", "n_patches, line 2"),
        (",0.25,0.75,", ",0.3,0.7,", "share_k, line 2 .*fractions of n_patches"),
        (",0.25,0.75,", ",0.25,0.5,", "share_k, line 2 .*a sum of 1"),
        (",0.25,0.75,", ",x,0.75,", "column share_0, line 2: found 'x', expected a number"),
        (",0.25,0.75,", ",inf,0.75,", "column share_0, line 2: found 'inf', expected a number"),
        ("0.2,0.5", "-0.2,0.5", "attention_k, line 2 .*0 to 1"),
        ("S0,4,", "S0,1e300,", "n_patches, line 2 .*an integer, 1 or more"),
        (",0.25,0.75,", ",1e300,0.75,", "share_k, line 2 .*fractions of n_patches"),
        ("0.2,0.5", "0.6,0.5", "attention_k, line 2 .*at most 1"),
        ("C0,", ",", "case_id, line 2"),
        ("S0,4,", "S0,", "line 2 holds 6 cells, expected 7"),
        ("case_id,slide_ids", "share_0,slide_ids", "two columns have the same name"),
        ("C0,", '"C0,', "is no CSV text"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, old: str, new: str, message: str):
    path = tmp_path / "anchor_shares.csv"
    write_anchor_shares(path, shares_of(np.array([[1, 3]]), np.array([[0.2, 0.5]])))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=f"anchor_shares.csv: .*{message}.*--stage explain"):
        read_anchor_shares(path)


def test_a_missing_or_empty_file_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"none.csv: cannot be read \(No such file"):
        read_anchor_shares(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("case_id,slide_ids\n")
    with pytest.raises(UserError, match=r"empty.csv: holds no row"):
        read_anchor_shares(tmp_path / "empty.csv")
