"""What the documents point at is there: links, headings, and the code and tests of the paper map."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "splits" / "README.md"]
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


def anchors_of(document: Path) -> set[str]:
    """The names by which a code host links to the headings of a document."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_there_are_documents():
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"} <= {path.name for path in DOCUMENTS}


@every_document
def test_every_link_leads_somewhere(document: Path):
    text = re.sub(r"\s*\n\s*", " ", document.read_text(encoding="utf-8"))  # a link may be broken over two lines
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        place = document.parent / target if target else document
        assert place.exists(), target
        assert not anchor or anchor in anchors_of(place), f"{target}#{anchor}"


def test_every_code_path_of_the_paper_map_is_there():
    text = (ROOT / "docs" / "paper_map.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:models|datasets|utils|tests)/[\w/]+\.py)", text):
        assert (ROOT / path).is_file(), path
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    for test in re.findall(r"::(test_\w+)", text):
        assert any(f"def {test}(" in source for source in sources), test
