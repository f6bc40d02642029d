from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from datasets.make_splits.label_entries import Entries, Entry
from datasets.make_splits.label_table import TableRow
from datasets.make_splits.slide_match import matched_entries
from utils.errors import UserError

ROW = TableRow({}, 2, Path("t.csv"))


def matched(slide_ids: Collection[str], *, features: Collection[str]) -> tuple[list[str], Entries]:
    labelled = Entries(tuple(Entry("P", slide_id, ROW) for slide_id in slide_ids))
    found = matched_entries(labelled, features, Path("in/t.csv"))
    return [entry.slide_id for entry in found.entries], found


def test_equal_ids():
    assert matched(["a", "b"], features=["b", "a"]) == (
        ["a", "b"],
        Entries((Entry("P", "a", ROW), Entry("P", "b", ROW))),
    )


def test_letter_case_and_what_follows_a_full_stop():
    slide_ids, found = matched(["TCGA-2F-A9KO-DX1", "slide_2", "c"], features=["TCGA-2F-A9KO-DX1.0AB", "Slide_2", "c"])
    assert slide_ids == ["TCGA-2F-A9KO-DX1.0AB", "Slide_2", "c"]
    assert found.notes == (
        "2 slide ids of t.csv took the spelling of the feature files (such as TCGA-2F-A9KO-DX1, which is "
        "TCGA-2F-A9KO-DX1.0AB)",
    )
    assert found.warnings == ()


def test_doubtful_spellings_stay_as_they_are():
    barcode = "TCGA-2F-A9KO-DX1"
    assert matched([barcode, "b"], features=[f"{barcode}.1", f"{barcode}.2", "b"])[0] == [barcode, "b"]
    both = [barcode, barcode.lower(), "b"]
    assert matched(both, features=[f"{barcode}.1", "b"])[0] == both
    assert matched(["12", "b"], features=["12.5", "b"])[0] == ["12", "b"]
    assert matched(["A", "a"], features=["a", "b"])[0] == ["A", "a"]


def test_what_has_no_counterpart_is_counted_and_named():
    _, found = matched(["a", "s-01", "z"], features=["a", "s_1", "q"])  # a third of the slides is no mistake
    assert found.warnings == (
        "2 slides of t.csv without a feature file: s-01, nearest s_1: punctuation; z",
        "2 feature files without a row in t.csv: q, s_1",
    )


def test_a_table_of_which_no_slide_has_features_is_refused():
    """Most often it is the table of another cohort, or the files are called otherwise."""
    with pytest.raises(UserError) as caught:
        matched(["s-01", "s-02", "z"], features={"s_1": Path("f/s_1.h5"), "q": Path("f/q.pt")})
    assert str(caught.value) == (
        "no slide of in/t.csv has a feature file (its slides: s-01, nearest s_1.h5: punctuation; s-02; z; feature "
        "files: q, s_1): extract their features, or give table and files the same ids"
    )
