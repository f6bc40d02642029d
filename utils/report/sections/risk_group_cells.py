"""The risk halves of a run, or of runs of several seeds, in one row: hazard ratio and the released log-rank p."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from utils.files.text_table import format_p, format_ratio
from utils.report.content import UNDEFINED, Cell
from utils.report.seed_pools import SeedPool
from utils.statistics.group_effect import HAZARD_RATIO
from utils.tables.risk_groups_text import hazard_ratio_text, pooled_p_text


def hazard_ratio_cell(pool: SeedPool) -> Cell:
    """High against low half, stratified by fold: `1.80 (1.20 to 2.70)`.

    Of several seeds the median of the ratio and of each limit, as in the paper's tables, then the range over seeds and
    how many have a ratio where some have none: `1.80 (1.20 to 2.70); 2 of 3 seeds, 1.20 to 2.40`.
    """
    known = [row for _, row in _stratified(pool) if row["hazard_ratio"] is not None]
    if not known:
        return Cell(UNDEFINED)
    middle = {name: median(row[name] for row in known) for name in HAZARD_RATIO}
    ratios = [row["hazard_ratio"] for row in known]
    text = hazard_ratio_text(middle)
    if len(pool.runs) > 1:
        n_seeds = "" if len(known) == len(pool.runs) else f"{len(known)} of "
        text += f"; {n_seeds}{len(pool.runs)} seeds, {format_ratio(min(ratios))} to {format_ratio(max(ratios))}"
    return Cell(text, middle["hazard_ratio"])


def released_p_cell(pool: SeedPool) -> Cell:
    """The log-rank p over the pooled folds: of one run with its star, of several seeds their median and range."""
    pooled = [run.summary["pooled"] for run in pool.runs if run.summary is not None]
    known = sorted(found["logrank_p"] for found in pooled if found["logrank_p"] is not None)
    if not known:
        return Cell(UNDEFINED)
    if len(pool.runs) == 1:
        return Cell(pooled_p_text(pooled[0]), known[0])
    middle, low, high = median(known), format_p(known[0]), format_p(known[-1])
    return Cell(format_p(middle) + (f" ({low} to {high})" if low != high else ""), middle)


def undefined_ratios(pool: SeedPool) -> Iterator[str]:
    """Why runs have no hazard ratio: `mico: hazard ratio undefined: all risks equal.`"""
    for name, row in _stratified(pool):
        if row["hazard_ratio"] is None:
            yield f"{name}: hazard ratio undefined: {row['reasons']['hazard_ratio']}."


def _stratified(pool: SeedPool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The name of each run that has test predictions, and its halves stratified by fold."""
    for run in pool.runs:
        if run.summary is not None:
            yield run.name, run.summary["risk_groups"]["stratified"]
