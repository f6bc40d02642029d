from __future__ import annotations

from utils.tables.row_notes import RowNotes


def test_rows_of_one_reason_share_a_note():
    notes = RowNotes()
    reasons = {"c_index": "no events", "c_index_low": "no events", "ibs": "no edges"}
    assert notes.undefined(reasons, "fold 0") == {"c_index": "– (1)", "c_index_low": "– (1)", "ibs": "– (2)"}
    assert notes.undefined({"ibs": "no edges"}, "fold 3") == {"ibs": "– (2)"}
    assert notes.undefined({"ibs": "no edges"}, "ensemble") == {"ibs": "– (2)"}
    assert notes.number("of no row") == 3
    assert notes.lines() == [
        "(1) fold 0: C-index and 95 % interval undefined: no events",
        "(2) folds 0 and 3, ensemble: IBS undefined: no edges",
        "(3) of no row",
    ]


def test_other_metrics_of_the_same_reason_have_a_note_of_their_own():
    notes = RowNotes()
    assert notes.undefined({"c_index": "no events"}, "fold 0") == {"c_index": "– (1)"}
    assert notes.undefined({"ibs": "no events"}, "fold 0") == {"ibs": "– (2)"}
    assert RowNotes().lines() == []
