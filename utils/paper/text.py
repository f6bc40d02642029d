"""The files of a paper table: CSV for machines, Markdown for people, LaTeX for papers."""

from __future__ import annotations

from collections.abc import Sequence

from utils.files.csv_table import csv_text
from utils.files.text_table import latex_table, markdown_table
from utils.paper.grids import PaperTable, best_entries

# Private-use characters: no escape changes them, so they can stand for markup until the table is text. They are as wide
# as the markup of Markdown, so its columns line up.
_BOLD_START, _BOLD_END = "\ue000\ue000", "\ue001\ue001"


def table_files(table: PaperTable) -> dict[str, str]:
    """{file name: text} of `NAME.csv`, `NAME.md` and `NAME.tex`.

    The CSV file has a line per row and column of the table; the best entries of a column are bold in the other two. A
    table below another one has a CSV file of its own and stands in the other two files of that one.
    """
    tables = [table, *([table.below] if table.below is not None else [])]
    files = {f"{one.name}.csv": _csv(one) for one in tables}
    pages = [
        markdown_page(one.title, _marked(one), one.explanation, one.notes, heading="#" if one is table else "##")
        for one in tables
    ]
    sources = [latex_page(one.name, one.title, _marked(one), one.explanation, one.notes) for one in tables]
    return {**files, f"{table.name}.md": "\n".join(pages), f"{table.name}.tex": "\n".join(sources)}


def _csv(table: PaperTable) -> str:
    return csv_text(table.csv_columns, [entry.csv for row in table.rows for entry in row.entries])


def markdown_page(
    title: str,
    rows: Sequence[Sequence[str]],
    explanation: Sequence[str],
    notes: Sequence[str],
    *,
    heading: str = "#",
) -> str:
    """Title, table, how to read it, and the list of notes, as a Markdown page; `##` as `heading` continues a page."""
    table = markdown_table(rows).replace(_BOLD_START, "**").replace(_BOLD_END, "**")
    blocks = [f"{heading} {title}", table, "\n".join(f"- {line}" for line in explanation)]
    if notes:
        blocks.append("Notes:\n\n" + "\n".join(f"- {note}" for note in notes))
    return "\n\n".join(block for block in blocks if block) + "\n"


def latex_page(
    name: str, title: str, rows: Sequence[Sequence[str]], explanation: Sequence[str], notes: Sequence[str]
) -> str:
    """A LaTeX table (package booktabs) whose caption holds all that stands below the table in Markdown."""
    sentences = [title, *explanation, *(f"{note[0].upper()}{note[1:]}" for note in notes)]
    caption = " ".join(f"{sentence.removesuffix('.')}." for sentence in sentences)
    text = latex_table(rows, caption=caption, label=f"tab:{name}")
    return text.replace(_BOLD_START, r"\textbf{").replace(_BOLD_END, "}") + "\n"


def _marked(table: PaperTable) -> list[list[str]]:
    """Header and rows as texts, the best entries between the two marks."""
    rows = [list(table.header)]
    for row, is_best in zip(table.rows, best_entries(table.rows), strict=True):
        texts = [
            f"{_BOLD_START}{entry.text}{_BOLD_END}" if best else entry.text
            for entry, best in zip(row.entries, is_best, strict=True)
        ]
        rows.append([*row.labels, *texts])
    return rows
