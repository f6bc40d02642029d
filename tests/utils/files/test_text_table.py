from __future__ import annotations

import re

import pytest

from utils.files.text_table import latex_table, latex_text, markdown_table


def test_a_markdown_table_by_hand():
    rows = [["fold", "C-index", ""], ["0", "0.61 ± 0.02", "a|b"], ["mean", "–", "two\nlines"]]
    assert markdown_table(rows) == (
        "| fold | C-index     |           |\n"
        "|------|-------------|-----------|\n"
        "| 0    | 0.61 ± 0.02 | a\\|b      |\n"
        "| mean | –           | two lines |"
    )


def test_a_header_alone_is_a_table():
    assert markdown_table([["a"]]) == "| a |\n|---|"


def test_a_latex_table_by_hand():
    rows = [["model", "AUC", "p"], ["mean_pool & co", "0.71 ± 0.02", "<0.001"], ["MiCo", "–", "0.5"]]
    assert latex_table(rows, caption="Results of 100 % of #1", label="tab:main_results") == (
        "\\begin{table}\n"
        "  \\centering\n"
        "  \\caption{Results of 100 \\% of \\#1}\n"
        "  \\label{tab:main_results}\n"
        "  \\begin{tabular}{lcc}\n"
        "    \\toprule\n"
        "    model & AUC & p \\\\\n"
        "    \\midrule\n"
        "    mean\\_pool \\& co & 0.71 $\\pm$ 0.02 & $<$0.001 \\\\\n"
        "    MiCo & -- & 0.5 \\\\\n"
        "    \\bottomrule\n"
        "  \\end{tabular}\n"
        "\\end{table}"
    )


@pytest.mark.parametrize(
    ("character", "written"),
    [
        ("&", r"\&"), ("%", r"\%"), ("_", r"\_"), ("#", r"\#"), ("$", r"\$"), ("{", r"\{"), ("}", r"\}"),
        ("~", r"\textasciitilde{}"), ("^", r"\textasciicircum{}"), ("\\", r"\textbackslash{}"), ("–", "--"),
        ("—", "---"), ("±", r"$\pm$"), ("−", "$-$"), ("<", "$<$"), (">", "$>$"), ("|", "$|$"), ("\n", " "),
        ("≥", r"$\geq$"), (">=", r"$\geq$"),
    ],
)  # fmt: skip
def test_each_special_character_is_written_for_latex(character: str, written: str):
    assert latex_text(f"a{character}b") == f"a{written}b"
    assert latex_text(character * 2) == (written * 2 if character != "\n" else " ")


def test_an_escape_is_never_escaped_again():
    assert latex_text(r"\{~^}") == r"\textbackslash{}\{\textasciitilde{}\textasciicircum{}\}"
    assert latex_text("plain text, 0.5 (1 of 2): ü") == "plain text, 0.5 (1 of 2): ü"


@pytest.mark.parametrize("first", ["[0.1, 0.2]", "*", "* a"])
def test_a_row_that_begins_like_an_argument_of_the_line_break_is_kept_apart(first: str):
    text = latex_table([[first, "b"], [first, "c"], ["x", first]], caption="c", label="t")
    assert f"    {{}}{first} & b \\\\\n" in text
    assert f"    {{}}{first} & c \\\\\n" in text
    assert f"    x & {first} \\\\\n" in text


@pytest.mark.parametrize(
    ("rows", "lengths"),
    [([], r"\[\]"), ([[]], r"\[0\]"), ([["a", "b"], ["c"]], r"\[1, 2\]"), ([["a"], []], r"\[0, 1\]")],
)
def test_rows_that_make_no_table_are_refused(rows: list, lengths: str):
    message = f"expected at least one, all with the same number of cells, got {lengths} cells"
    with pytest.raises(ValueError, match=message):
        markdown_table(rows)
    with pytest.raises(ValueError, match=message):
        latex_table(rows, caption="c", label="t")


@pytest.mark.parametrize("label", ["", "a b", "tab:50%", "a}", "tab:é"])
def test_a_label_that_latex_cannot_name_is_refused(label: str):
    with pytest.raises(ValueError, match=re.escape(f"letters, digits and : . _ - only, got {label!r}")):
        latex_table([["a"]], caption="c", label=label)
