"""Anchors in a run's report, fold by fold: what each is associated with, and what becomes of it."""

from __future__ import annotations

import math
import re

import pandas as pd

from utils.explain.anchor_notes import named_notes
from utils.explain.anchor_text import READING_NOTES
from utils.report.charts.anchor_chart import anchor_charts
from utils.report.content import UNDEFINED, Block, Bullets, Cell, Charts, Folded, Table, Text, count, number, p_value
from utils.report.run_results import RunResults
from utils.runs.class_words import ClassWords

_OF_CLASS = re.compile(r"_(\d+)")
_INTEGERS = ("anchor", "n_patches", "n_cases")
_WORDS = {
    "n_patches": "patches",
    "n_cases": "cases",
    "mean_attention": "relative attention",
    "log_hazard": "log hazard",
    "log_hazard_low": "log hazard, low",
    "log_hazard_high": "log hazard, high",
    "p_holm": "p (Holm)",
}


def anchor_blocks(results: RunResults) -> tuple[Block, ...]:
    """Charts and table of the anchors of each explained fold, below what may be read into them."""
    found = {
        fold: (explained.anchors, explained.mixing)
        for fold, explained in results.explained.items()
        if explained.anchors is not None
    }
    if not found:
        return (Text(_why_none(results)),)
    blocks: list[Block] = [Bullets(tuple(READING_NOTES))]
    for fold, (anchors, mixing) in found.items():
        table = Folded(f"Table of the anchors of fold {fold}", (anchor_table(anchors, fold, results.classes),))
        charts = Charts(tuple(anchor_charts(anchors, mixing, results.classes)))
        blocks.append(Folded(f"Fold {fold}: {len(anchors)} anchors", (charts, table), is_open=fold == min(found)))
    return tuple(blocks)


def _why_none(results: RunResults) -> str:
    if not results.explained:
        return "Not explained yet: main.py --stage explain says what each anchor is associated with."
    if any((explained.place / "anchors.csv").exists() for explained in results.explained.values()):
        return "The table of the anchors is damaged: see the warnings."
    return (
        "With slide anchors, each slide has anchors of its own: there is no table of anchors over slides. The pictures "
        "of the explained slides show where theirs are."
    )


def anchor_table(anchors: pd.DataFrame, fold: int, classes: ClassWords | None = None) -> Table:
    """`anchors.csv` as a table."""
    names = [str(name) for name in anchors.columns]
    words = _WORDS if "log_hazard" in names else _WORDS | {"n_cases": "slides"}
    header = tuple(words.get(name, _named(name, classes).replace("_", " ")) for name in names)
    rows = tuple(tuple(_cell(name, row[name], classes) for name in names) for row in anchors.to_dict("records"))
    return Table(f"Anchors of fold {fold}", header, rows)


def _named(name: str, classes: ClassWords | None) -> str:
    """A column of a class with its name: `auc_1_low` becomes `auc_malignant_low`."""
    if classes is None or not classes.are_names:
        return name
    return _OF_CLASS.sub(lambda found: f"_{classes.brief(int(found[1]))}", name, count=1)


def _cell(name: str, value: object, classes: ClassWords | None) -> Cell:
    if isinstance(value, str):
        return Cell(named_notes(value, classes))
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return Cell("" if name == "note" else UNDEFINED)
    if name in _INTEGERS:
        return count(int(value))
    return p_value(value) if name.startswith("p") and not name.startswith("patch") else number(value)
