from __future__ import annotations

from pathlib import Path

from utils.files.named_file import named_file

COMPOSED, DECOMPOSED = "M\u00fcller.pt", "Mu\u0308ller.pt"


def test_the_spelling_that_is_there(tmp_path: Path):
    (tmp_path / DECOMPOSED).touch()
    assert named_file(tmp_path, COMPOSED).name == named_file(tmp_path, DECOMPOSED).name == DECOMPOSED
    (tmp_path / COMPOSED).touch()
    assert named_file(tmp_path, DECOMPOSED).name == COMPOSED


def test_a_file_that_is_not_there_has_composed_letters(tmp_path: Path):
    assert named_file(tmp_path, DECOMPOSED) == tmp_path / COMPOSED
    assert named_file(tmp_path, "a.pt") == tmp_path / "a.pt"
