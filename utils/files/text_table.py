r"""Tables as text, from rows of cells whose first row is the header: Markdown for people, LaTeX for papers."""

from __future__ import annotations

import re
from collections.abc import Sequence

STARRED_BELOW = 0.05
# One pass over the characters, so that the backslash of one escape is never escaped again.
_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%_#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"–": "--", "—": "---", "±": r"$\pm$", "−": "$-$", "<": "$<$", ">": "$>$", "≥": r"$\geq$", "|": "$|$"}
)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """`rows`, the first of which is the header, as a Markdown table whose columns also line up in a terminal.

    A `|` within a cell is escaped, and a line break becomes a blank. No line break at the end.

    Raises:
        ValueError: no row, no column, or rows of different length.

    >>> markdown_table([["fold", "ACC"], ["0", "0.9"]]).splitlines()
    ['| fold | ACC |', '|------|-----|', '| 0    | 0.9 |']
    """
    cells = [[_one_line(cell).replace("|", "\\|") for cell in row] for row in _checked(rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def latex_table(rows: Sequence[Sequence[str]], *, caption: str, label: str) -> str:
    r"""`rows`, the first of which is the header, as a LaTeX `table` with the rules of the package booktabs.

    Cells and caption are plain text: what LaTeX would read as a command is escaped, `–` becomes `--` and `±` becomes
    `$\pm$`. The first column is set flush left, the others are centred. `label` is what `\ref` names. No line break at
    the end.

    Raises:
        ValueError: no row, no column, rows of different length, or a label that holds anything but letters, digits
            and `: . _ -`.
    """
    if not re.fullmatch(r"[A-Za-z0-9:._-]+", label):
        raise ValueError(f"label: expected letters, digits and : . _ - only, got {label!r}")
    header, *body = (_latex_row(row) for row in _checked(rows))
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{latex_text(caption)}}}",
            rf"  \label{{{label}}}",
            rf"  \begin{{tabular}}{{l{'c' * (len(rows[0]) - 1)}}}",
            r"    \toprule",
            f"    {header}",
            r"    \midrule",
            *(f"    {line}" for line in body),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
        ]
    )


def latex_text(text: str) -> str:
    r"""Plain text as LaTeX that prints it.

    >>> print(latex_text("50 % of A_1: 0.7 ± 0.1, p <0.001, risk >= 2"))
    50 \% of A\_1: 0.7 $\pm$ 0.1, p $<$0.001, risk $\geq$ 2
    """
    return _one_line(text).replace(">=", "≥").translate(_LATEX)


def format_p(p: float) -> str:
    """A p value for a reader.

    >>> format_p(0.0312), format_p(0.00004)
    ('0.031', '<0.001')
    """
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def relation_to_p(p: float) -> str:
    """A p value behind its letter.

    >>> relation_to_p(0.0312), relation_to_p(0.00004)
    ('= 0.031', '< 0.001')
    """
    written = format_p(p)
    return f"< {written[1:]}" if written.startswith("<") else f"= {written}"


def format_difference(difference: float) -> str:
    """A difference for a reader; one that rounds to 0 has the same sign from either side.

    >>> format_difference(0.0312), format_difference(-0.1), format_difference(-0.0004)
    ('+0.031', '-0.100', '+0.000')
    """
    return f"{round(difference, 3) + 0.0:+.3f}"


def format_ratio(ratio: float) -> str:
    """A hazard or odds ratio for a reader.

    >>> format_ratio(1.824), format_ratio(0.0004), format_ratio(1234.5)
    ('1.82', '<0.01', '1234')
    """
    if ratio < 0.01:
        return "<0.01"
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"


def starred_p(p: float) -> str:
    """A p value with a star below 0.05, as the released evaluation prints it: without correction for many tests.

    >>> starred_p(0.0312), starred_p(0.04996), starred_p(0.05)
    ('0.031*', '<0.050*', '0.050')
    """
    if p >= STARRED_BELOW:
        return format_p(p)
    rounded_up = format_p(p) == format_p(STARRED_BELOW)
    return f"{'<' * rounded_up}{format_p(p)}*"


def _latex_row(row: Sequence[str]) -> str:
    line = " & ".join(latex_text(cell) for cell in row)
    # A rule or a row's end takes a "[" or "*" that follows as its own argument, over the line break too.
    return ("{}" if line.startswith(("[", "*")) else "") + line + r" \\"


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _checked(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(f"rows: expected at least one, all with the same number of cells, got {sorted(lengths)} cells")
    return rows
