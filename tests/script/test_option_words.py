"""The words of options in a variable of a script, as it reads them."""

from __future__ import annotations

import pytest

from script.option_words import main, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n", []),
        ("--mpp 0.25\n --geojson  regions", ["--mpp", "0.25", "--geojson", "regions"]),
        ("--classes ductal 'mucinous; other'", ["--classes", "ductal", "mucinous; other"]),
        ("--classes=\"not one\" '' #x", ["--classes=not one", "", "#x"]),
        (r"--patient_pattern ^(P\d+) '\w $(ls) *'", ["--patient_pattern", r"^(P\d+)", r"\w $(ls) *"]),
    ],
)
def test_words(text: str, words: list[str], capsys: pytest.CaptureFixture[str]):
    assert words_of(text) == words
    assert main(["LABEL_OPTIONS", text]) == 0
    assert capsys.readouterr().out == "".join(f"{word}\0" for word in words)


def test_a_quote_that_is_not_closed(capsys: pytest.CaptureFixture[str]):
    assert main(["LABEL_OPTIONS", "--classes 'a b"]) == 2
    assert capsys.readouterr() == ("", "error: got LABEL_OPTIONS=--classes 'a b, expected each quote to be closed\n")
