from __future__ import annotations

import pytest

from datasets.make_splits.plain_ids import decimals_note, id_in_cell


@pytest.mark.parametrize(
    ("cell", "identifier"),
    [
        ("12.0", "12"),
        ("007.00", "007"),
        ("12", "12"),
        ("12.5", "12.5"),
        ("-1.0", "-1.0"),
        ("S1.0", "S1.0"),
        ("12.svs", "12"),
        ("a/S1.tiff.SVS", "S1"),
    ],
)
def test_ids_in_cells(cell: str, identifier: str):
    assert id_in_cell(cell) == identifier


def test_the_note_names_the_first_number_with_decimals():
    assert decimals_note(["S1.0", "7", "12.0", "13.0"], "column a") == (
        "numbers such as 12.0 in column a were read as ids without decimals",
    )
    assert decimals_note(["S1.0", "7", "1.5"], "column a") == ()
