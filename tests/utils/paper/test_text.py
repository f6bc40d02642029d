from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

from tests.utils.run_folders import cells
from utils.paper.grids import CSV_COLUMNS, Entry, PaperTable, TableRow
from utils.paper.text import latex_page, markdown_page, table_files


def _entry(text: str, score: float | None) -> Entry:
    return Entry(text, score, dict.fromkeys(CSV_COLUMNS, "") | {"note": text})


TABLE = PaperTable(
    name="some_table",
    title="Title",
    header=("model", "A_1", "B & C"),
    rows=(
        TableRow(("first",), (_entry("0.700 ± 0.100", 0.7), _entry("50 % | {x}", 0.1))),
        TableRow(("second",), (_entry("0.600", 0.6), _entry("missing", None))),
    ),
    explanation=("One.", "Two."),
    notes=("note 1: no events", "mean of X: incomplete"),
)


def latex_rows(text: str) -> list[list[str]]:
    """The cells of each row of a LaTeX table."""
    lines = [line.strip() for line in text.splitlines() if line.rstrip().endswith("\\\\")]
    return [re.split(r"(?<!\\) ?& ?", line.removesuffix("\\\\").strip()) for line in lines]


def test_the_three_files():
    assert list(table_files(TABLE)) == ["some_table.csv", "some_table.md", "some_table.tex"]


def test_the_markdown_page():
    page = table_files(TABLE)["some_table.md"]
    lines = page.splitlines()
    assert lines[:2] == ["# Title", ""]
    # Bold cells line up with the others; an entry that is alone in its column is not marked.
    assert lines[2:6] == [
        "| model  | A_1               | B & C       |",
        "|--------|-------------------|-------------|",
        "| first  | **0.700 ± 0.100** | 50 % \\| {x} |",
        "| second | 0.600             | missing     |",
    ]
    assert lines[6:] == ["", "- One.", "- Two.", "", "Notes:", "", "- note 1: no events", "- mean of X: incomplete"]


def test_the_latex_page():
    text = table_files(TABLE)["some_table.tex"]
    assert latex_rows(text) == [
        ["model", "A\\_1", "B \\& C"],
        ["first", "\\textbf{0.700 $\\pm$ 0.100}", "50 \\% $|$ \\{x\\}"],
        ["second", "0.600", "missing"],
    ]
    assert r"\caption{Title. One. Two. Note 1: no events. Mean of X: incomplete.}" in text
    assert r"\label{tab:some_table}" in text
    assert text.count("\\begin") == text.count("\\end") == 2
    assert text.count("{") == text.count("}")
    assert text.isascii()


def test_the_csv_file_has_a_line_per_cell():
    rows = list(csv.DictReader(io.StringIO(table_files(TABLE)["some_table.csv"])))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["note"] for row in rows] == ["0.700 ± 0.100", "50 % | {x}", "0.600", "missing"]


def test_a_table_below_another_one_stands_in_its_pages_and_has_a_csv_file_of_its_own():
    entry = Entry("0.012*", None, {"p": "0.0123"})
    below = PaperTable("p", "Below", ("model", "A"), (TableRow(("x",), (entry,)),), ("How.",), ("note 1: b",), ("p",))
    files = table_files(replace(TABLE, below=below))
    assert list(files) == ["some_table.csv", "p.csv", "some_table.md", "some_table.tex"]
    alone = table_files(TABLE)
    assert files["some_table.csv"] == alone["some_table.csv"]
    assert files["p.csv"] == "p\n0.0123\n"
    first, second = files["some_table.md"].split("\n## Below\n")
    assert first == alone["some_table.md"]
    assert second.splitlines()[1:] == [
        "| model | A      |", "|-------|--------|", "| x     | 0.012* |", "", "- How.", "", "Notes:", "", "- note 1: b",
    ]  # fmt: skip
    assert files["some_table.tex"].startswith(alone["some_table.tex"])
    assert latex_rows(files["some_table.tex"])[3:] == [["model", "A"], ["x", "0.012*"]]
    assert r"\label{tab:p}" in files["some_table.tex"]


def test_pages_without_notes_and_without_rows():
    page = markdown_page("Title", [["model"]], ["One."], [])
    assert page.splitlines() == ["# Title", "", "| model |", "|-------|", "", "- One."]
    assert cells(page) == [["model"]]
    assert latex_rows(latex_page("name", "Title", [["model"]], [], [])) == [["model"]]
