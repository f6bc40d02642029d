"""Which texts can be the id of a slide or a case: looked at before any work, where the id is first read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from utils.errors import UserError
from utils.files.cell_text import printable, why_no_cell

# Files of `fold{k}/explain/`, beside which each slide has a folder of its name.
FILES_BESIDE = (
    "cases.csv",
    "anchor_shares.csv",
    "anchors.csv",
    "anchors.png",
    "anchors.md",
    "reducer_mixing.json",
    "reducer_mixing.png",
)
# What is expected of one, with the reason why it is not that in the place of {}.
SLIDE = "a slide id that can name files and stand in tables, but it {}; rename it, and its feature file with it"
CASE = "a case id that can stand in tables, but it {}; rename it"


def why_no_slide(slide_id: str) -> str | None:
    """Why a text cannot be a slide id, as the end of a sentence about it; None where it can.

    >>> why_no_slide("a;b"), why_no_slide("slide_7")
    ("holds ';', which stands between slides in prediction files", None)
    """
    if ";" in slide_id:
        return "holds ';', which stands between slides in prediction files"
    if "/" in slide_id or "\\" in slide_id:
        return "is a path"
    if slide_id.startswith("."):
        return "begins with '.', as hidden files do"
    if slide_id.casefold() in FILES_BESIDE:
        return "is the name of a file that is written beside the explanations of slides"
    return why_no_cell(slide_id)


def why_no_case(case_id: str) -> str | None:
    """Why a text cannot be a case id, as the end of a sentence about it; None where it can."""
    return why_no_cell(case_id)


def check_slide_files(slide_ids: Iterable[str], where: Path | str) -> None:
    """Check the ids of slides that are known by their feature files alone.

    Raises:
        UserError: for one that can be no slide id.
    """
    for slide_id in slide_ids:
        why = why_no_slide(slide_id)
        if why is not None:
            raise UserError(f"the slide id {printable(slide_id)} {why}: rename its feature file in {where}")
