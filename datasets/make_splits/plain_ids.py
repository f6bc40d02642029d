"""Ids in the cells of label tables and split files, among them numbers that other tools have given decimals."""

from __future__ import annotations

import re
from collections.abc import Iterable

from datasets.slides.slide_ids import plain_slide_id

_DECIMALS = re.compile(r"(\d+)\.0+")


def id_in_cell(text: str) -> str:
    """Return the id in a cell: without known endings, and without the decimals of numbers.

    Excel gives decimals to numbers, and pandas to those of a column that is shorter than others.

    >>> id_in_cell("12.0"), id_in_cell("12.0.svs"), id_in_cell("a/S1.svs")
    ('12', '12.0', 'S1')
    """
    return plain_slide_id(_DECIMALS.sub(r"\1", text) if _DECIMALS.fullmatch(text) else text)


def decimals_note(cells: Iterable[str], where: str) -> tuple[str, ...]:
    """Return a sentence where cells hold numbers with decimals that `id_in_cell` drops; none otherwise.

    >>> decimals_note(["S1", "12.0"], "column slide")
    ('numbers such as 12.0 in column slide were read as ids without decimals',)
    """
    first = next((cell for cell in cells if _DECIMALS.fullmatch(cell)), None)
    return () if first is None else (f"numbers such as {first} in {where} were read as ids without decimals",)
