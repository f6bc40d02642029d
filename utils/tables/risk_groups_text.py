"""The block "Risk groups" of a summary: hazard ratio and log-rank p of the halves, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from utils.files.phrases import numbered
from utils.files.text_table import format_p, format_ratio, markdown_table, starred_p
from utils.runs.tasks import METRIC_WORDS
from utils.statistics.risk_groups import SHARED_TRAINING
from utils.tables.row_notes import RowNotes

HEADER = ("fold", "high: cases (deaths)", "low: cases (deaths)", "hazard ratio", "95 % interval", "log-rank p")
STRATIFIED_ROW = "stratified by fold"
RELEASED_ROW = "released: pooled, not stratified"
# Below each table that shows it, here and in the report.
POOLED_METHOD = (
    "pooled: one log-rank test over the test cases of all folds, not stratified; the p value that the released "
    "evaluation reports for a cohort. Each case is in the half that it has within its fold, since the folds are models "
    "of different training sets, whose risks have no common scale. As in that evaluation, a star marks p < 0.05, "
    "without correction for the number of tests; here only where no fold is left out."
)
METHOD = (
    "Hazard ratio of the high half (risk >= median of the fold) against the low half, by Cox regression with Efron's "
    "ties: above 1 the high half dies earlier, below 1 it lives longer."
)
STRATIFIED_METHOD = (
    "Stratified by fold: cases are compared within their fold only, by Cox regression and log-rank test."
)
TURNED_AROUND = (
    "The hazard ratio and its interval lie below 1: the half that the model calls high-risk lives longer. The risk may "
    "be turned around; check the censorship column (1 = censored)."
)


def risk_group_blocks(summary: Mapping[str, Any]) -> Iterator[str]:
    """Heading, table and notes in Markdown, from the content of summary.json; nothing where it has no risk groups."""
    if "risk_groups" not in summary:
        return
    notes = RowNotes()
    rows = [list(HEADER), *risk_group_rows(summary, notes)]
    yield "## Risk groups"
    yield markdown_table(rows)
    yield from risk_group_method(summary)
    yield from notes.blocks()


def risk_group_rows(summary: Mapping[str, Any], notes: RowNotes) -> Iterator[list[str]]:
    """The cells below `HEADER`: each fold, stratified by fold, and the released p; footnotes are added to `notes`.

    A single fold has its own row only, as both others would repeat it.
    """
    found = summary["risk_groups"]
    for row in found["folds"]:
        yield [str(row["fold"]), *_cells(row, f"fold {row['fold']}", notes)]
    if len(found["folds"]) > 1:
        yield [STRATIFIED_ROW, *_cells(found["stratified"], STRATIFIED_ROW, notes)]
        pooled = summary["pooled"]
        marks = "".join(f" ({notes.number(text)})" for text in pooled_notes(pooled))
        yield [RELEASED_ROW, *[""] * (len(HEADER) - 2), pooled_p_text(pooled) + marks]


def risk_group_method(summary: Mapping[str, Any]) -> Iterator[str]:
    """What the figures are, the caveat of several folds, and that the direction is wrong where it is."""
    yield METHOD
    if len(summary["risk_groups"]["folds"]) > 1:
        yield STRATIFIED_METHOD
        yield f"Released, {POOLED_METHOD}"
    if len(summary["pooled"]["folds"]) > 1:
        yield SHARED_TRAINING
    highest = summary["risk_groups"]["stratified"]["hazard_ratio_high"]
    if highest is not None and highest < 1:
        yield TURNED_AROUND


def pooled_p_text(pooled: Mapping[str, Any]) -> str:
    """The p value of `pooled` of summary.json, with its star if no fold is left out; a dash where it is undefined."""
    if pooled["logrank_p"] is None:
        return "–"
    return format_p(pooled["logrank_p"]) if pooled["left_out"] else starred_p(pooled["logrank_p"])


def pooled_notes(pooled: Mapping[str, Any]) -> Iterator[str]:
    """What to know about `pooled` of summary.json: why its p value is undefined, and which folds are left out."""
    if pooled["reason"]:
        yield f"pooled {METRIC_WORDS['logrank_p']} undefined: {pooled['reason']}"
    for reason in dict.fromkeys(pooled["left_out"].values()):
        folds = [fold for fold, why in pooled["left_out"].items() if why == reason]
        yield f"pooled: without {numbered('fold', folds)} ({reason})"


def hazard_ratio_text(row: Mapping[str, Any]) -> str:
    """`1.82 (1.20 to 2.77)`, or a dash."""
    if row["hazard_ratio"] is None:
        return "–"
    return f"{format_ratio(row['hazard_ratio'])} ({hazard_interval_text(row)})"


def hazard_interval_text(row: Mapping[str, Any]) -> str:
    """`1.20 to 2.77`, or a dash."""
    low, high = row["hazard_ratio_low"], row["hazard_ratio_high"]
    return "–" if low is None else f"{format_ratio(low)} to {format_ratio(high)}"


def _cells(row: Mapping[str, Any], name: str, notes: RowNotes) -> list[str]:
    marks = notes.undefined(row["reasons"], name)
    counts = [f"{row[f'n_{half}']} ({row[f'deaths_{half}']})" for half in ("high", "low")]
    ratio = marks["hazard_ratio"] if row["hazard_ratio"] is None else format_ratio(row["hazard_ratio"])
    p = marks["logrank_p"] if row["logrank_p"] is None else format_p(row["logrank_p"])
    return [*counts, ratio, hazard_interval_text(row), p]
