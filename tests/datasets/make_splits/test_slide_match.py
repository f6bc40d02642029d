from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from datasets.make_splits.label_entries import Entries, Entry
from datasets.make_splits.label_table import TableRow
from datasets.make_splits.slide_match import matched_entries

ROW = TableRow({}, 2, Path("t.csv"))


def matched(slide_ids: Collection[str], *, features: Collection[str]) -> tuple[list[str], Entries]:
    labelled = Entries(tuple(Entry("P", slide_id, ROW) for slide_id in slide_ids))
    found = matched_entries(labelled, features, "t.csv")
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
    assert matched([barcode], features=[f"{barcode}.1", f"{barcode}.2"])[0] == [barcode]
    assert matched([barcode, barcode.lower()], features=[f"{barcode}.1"])[0] == [barcode, barcode.lower()]
    assert matched(["12"], features=["12.5"])[0] == ["12"]
    assert matched(["A", "a"], features=["a", "b"])[0] == ["A", "a"]


def test_what_has_no_counterpart_is_counted_and_named():
    _, found = matched(["a", "s-01", "z"], features=["a", "s_1", "q"])
    assert found.warnings == (
        "2 slides of t.csv without a feature file: s-01, z (did you mean s_1?)",
        "2 feature files without a row in t.csv: q, s_1",
    )
