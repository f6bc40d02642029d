"""What a page of the report is made of: sections of blocks. Plain text and numbers; `utils.report.page` makes HTML."""

from __future__ import annotations

import math
from dataclasses import dataclass

from utils.files.text_table import format_p
from utils.report.charts.chart import Chart

UNDEFINED = "–"


@dataclass(frozen=True)
class Cell:
    """A table cell: the text shown, the number it is sorted by (None: by its text), the page it links to."""

    text: str
    value: float | None = None
    href: str = ""


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows; `footer` rows stay at the end when a reader sorts the others."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    footer: tuple[tuple[Cell, ...], ...] = ()
    notes: tuple[str, ...] = ()
    is_sortable: bool = True

    def __post_init__(self) -> None:
        """Refuse rows of another length than the header."""
        for row in (*self.rows, *self.footer):
            if len(row) != len(self.header):
                raise ValueError(f"{self.caption}: expected rows of {len(self.header)} cells, got {len(row)}")

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column is set flush right: those of numbers, the first one excepted, which names the rows."""
        rows = (*self.rows, *self.footer)
        columns = range(1, len(self.header))
        return (False, *(any(row[column].value is not None for row in rows) for column in columns))


@dataclass(frozen=True)
class Charts:
    """Charts beside each other, where the page is wide enough."""

    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences; `kind` is `plain` or `warning`."""

    items: tuple[str, ...]
    kind: str = "plain"


@dataclass(frozen=True)
class Picture:
    """A picture as data URI of `width` x `height` pixels; `alt` says what it shows, `caption` stands below it."""

    uri: str
    width: int
    height: int
    alt: str
    caption: str


@dataclass(frozen=True)
class Gallery:
    """Pictures that belong together, below a heading and a line about them."""

    title: str
    text: str
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Folded:
    """Blocks that a reader opens; `is_open` from the start."""

    title: str
    blocks: tuple[Block, ...]
    is_open: bool = False


Block = Table | Charts | Text | Bullets | Gallery | Folded


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading; `key` is its address within the page (letters, digits, hyphens)."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A page: `title`, the line `kind` above it, the sentences of the verdict below it, and its sections."""

    title: str
    kind: str
    verdict: tuple[str, ...]
    sections: tuple[Section, ...]


def number(value: float | None, digits: int = 3) -> Cell:
    """A number with `digits` decimals that sorts by its full value; a dash where it is undefined.

    >>> number(0.7894), number(None)
    (Cell(text='0.789', value=0.7894, href=''), Cell(text='–', value=None, href=''))
    """
    if value is None or not math.isfinite(value):
        return Cell(UNDEFINED)
    return Cell(f"{value:.{digits}f}", float(value))


def count(value: int | None) -> Cell:
    """An integer."""
    return Cell(UNDEFINED) if value is None else Cell(str(value), float(value))


def p_value(value: float | None) -> Cell:
    """A p value as `utils.tables.summary_text.format_p` writes it."""
    if value is None or not math.isfinite(value):
        return Cell(UNDEFINED)
    return Cell(format_p(value), float(value))


def row(*cells: Cell | str) -> tuple[Cell, ...]:
    """Cells, texts among them taken as they are."""
    return tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in cells)
