from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from utils.errors import UserError
from utils.explain.slide_facts import SLIDE_FACTS, read_slide_facts, write_slide_facts

FACTS: dict[str, Any] = {
    "slide_id": "S.1",
    "case_id": "P",
    "n_patches": 40,
    "patch_size_level0": 512,
    "patch_size_source": "attribute patch_size_level0",
    "mpp": 0.25,
    "mpp_source": "slide image",
    "no_map": None,
    "files": ["patches.csv", "attention.png"],
}


def test_facts_are_read_as_they_were_written(tmp_path: Path):
    write_slide_facts(tmp_path / "S.1", **FACTS)
    facts = read_slide_facts(tmp_path / "S.1")
    assert facts == FACTS
    assert list(facts) == list(FACTS)


def test_a_slide_without_facts(tmp_path: Path):
    assert read_slide_facts(tmp_path) is None


def test_damaged_facts_are_named(tmp_path: Path):
    (tmp_path / SLIDE_FACTS).write_text("[]")
    with pytest.raises(UserError, match=r"slide\.json: holds list, expected a JSON object; explain the fold again"):
        read_slide_facts(tmp_path)
