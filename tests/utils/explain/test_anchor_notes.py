from __future__ import annotations

import pytest

from utils.explain.anchor_notes import notes_of


@pytest.mark.parametrize(
    ("note", "positive", "expected"),
    [
        ("", 1, []),
        ("", None, []),
        ("nearest to no patch", 1, ["nearest to no patch"]),
        ("no events", None, ["no events"]),
        ("class 1: a; class 10: b", 1, ["class 1: a"]),
        ("class 1: a; class 10: b", 10, ["class 10: b"]),
        ("class 0: a; class 0: b; in 1 case only", 0, ["class 0: a", "class 0: b", "in 1 case only"]),
        ("class 0: a; in 1 case only", None, ["in 1 case only"]),
    ],
)
def test_notes_of_other_classes_are_left_out(note: str, positive: int | None, expected: list[str]):
    assert notes_of(note, positive) == expected
