from __future__ import annotations

import pytest

from utils.files.cell_text import printable, why_no_cell


@pytest.mark.parametrize(
    "text", ["S1", "-", "+", "-12", "-1.5", "+ve", "-negativ", "Müller", "恶性", "\U0001f600", "a=b", "$x$"]
)
def test_names_that_tables_can_hold(text: str):
    assert why_no_cell(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("=1+2", "begins with '='"),
        ("=HYPERLINK(1)", "begins with '='"),
        ("@SUM(A1)", "begins with '@'"),
        ("+A1", r"begins with '\+'"),
        ("-2+3", "begins with '-'"),
        ("-cmd|x!A1", "begins with '-'"),
        ("a\x00b", r"unprintable '\\x00'"),
        ("a\x7f", r"unprintable '\\x7f'"),
        ("\x1b[31mred", r"unprintable '\\x1b'"),
        ("a\nb", r"unprintable '\\n'"),
        ("a\tb", r"unprintable '\\t'"),
        ("a\udcff", r"unprintable '\\udcff'"),
        ("a\u202eb", r"unprintable '\\u202e'"),
        ("ü" * 101, "has 202 bytes, of which 200"),
    ],
)
def test_names_that_they_cannot(text: str, why: str):
    with pytest.raises(ValueError, match=why):
        raise ValueError(why_no_cell(text))


def test_the_middle_of_a_long_text_is_cut_out():
    assert printable("a" * 50 + "b" * 50) == f"'{'a' * 40}…{'b' * 20}'"
