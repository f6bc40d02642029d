"""Who is in the training, validation and test part of each fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from utils.report.content import UNDEFINED, Block, Cell, Table, Text, count, row
from utils.report.run_results import RunResults
from utils.runs.class_words import ClassWords
from utils.runs.tasks import CLASSIFICATION

PARTS = ("train", "val", "test")
_PART_WORDS = {"train": "training", "val": "validation", "test": "test"}
_NOT_RECORDED = "not recorded"
_KEYS = {"cases": "cases", "patients": "patients", "slides": "slides", "events": "deaths"}


def cohort_blocks(results: RunResults) -> tuple[Block, ...]:
    """The table of folds and parts, from `cohort` of run.json, or counted from the files of a run that has none."""
    counts, notes = cohort_counts(results)
    if not counts:
        return (Text("The run recorded no counts of its cohort and has no predictions yet."),)
    parts = [part for of_fold in counts.values() for part in of_fold.values()]
    columns = [name for name in _KEYS if any(name in part for part in parts)]
    classes = list(dict.fromkeys(name for part in parts for name in part.get("slides_per_class", {})))
    follow_up = any("median_follow_up_months" in part for part in parts)
    words = _KEYS
    if results.task == CLASSIFICATION and "patients" not in columns:  # there, a case of the tables may be a slide
        words = _KEYS | {"cases": "patients"}
    header = ["fold", "part", *(words[name] for name in columns), *(f"slides of class {name}" for name in classes)]
    rows = [
        (
            Cell(str(fold), float(fold)),
            Cell(_PART_WORDS[part]),
            *_cells(of_fold.get(part), columns, classes, follow_up),
        )
        for fold, of_fold in counts.items()
        for part in PARTS
    ]
    if follow_up:
        header.append("median follow-up (months)")
        notes += ("Median follow-up by the reverse Kaplan-Meier method.",)
    caption = f"{words['cases'].capitalize()} and slides of each fold"
    return (Table(caption, tuple(header), tuple(rows), notes=notes),)


def cohort_counts(results: RunResults) -> tuple[dict[int, Mapping[str, Mapping[str, Any]]], tuple[str, ...]]:
    """{fold: {part: counts as of `datasets.folds.split_report.count_part`}}, and what is to be said about them."""
    recorded = results.run.get("cohort")
    if isinstance(recorded, dict) and all(isinstance(parts, dict) for parts in recorded.values()):
        named = {int(name.removeprefix("fold")): parts for name, parts in recorded.items() if name[4:].isdigit()}
        return dict(sorted(named.items())), ()
    counted: dict[int, Mapping[str, Mapping[str, Any]]] = {}
    for fold in sorted({*results.tables, *results.validation, *results.outcomes}):
        parts: dict[str, Mapping[str, Any]] = {}
        if fold in results.outcomes:
            train = results.outcomes[fold]
            parts["train"] = {"cases": len(train), "events": int(train["event"].sum())}
        for part, tables in (("val", results.validation), ("test", results.tables)):
            if fold in tables:
                parts[part] = _count_table(tables[fold], results.classes)
        counted[fold] = parts
    note = "Counted from the predictions and outcomes of the run, as run.json holds no counts of the cohort."
    return counted, (note,)


def _count_table(table: pd.DataFrame, words: ClassWords) -> dict[str, Any]:
    """Cases, slides, and slides per class or deaths of a prediction table."""
    slides = table["slide_ids"].str.count(";") + 1
    counts: dict[str, Any] = {"cases": table["case_id"].nunique(), "slides": int(slides.sum())}
    if "event" in table.columns:
        return counts | {"events": int(table["event"].sum())}
    return counts | {
        "slides_per_class": {words.names[label]: int(n) for label, n in slides.groupby(table["label"]).sum().items()}
    }


def _cells(part: Mapping[str, Any] | None, columns: list[str], classes: list[str], follow_up: bool) -> tuple[Cell, ...]:
    if part is None:
        return row(*[_NOT_RECORDED] * (len(columns) + len(classes) + follow_up))
    cells = [count(part[name]) if name in part else Cell(_NOT_RECORDED) for name in columns]
    per_class = part.get("slides_per_class")
    cells += [Cell(_NOT_RECORDED) if per_class is None else count(per_class.get(name, 0)) for name in classes]
    if follow_up:
        months = part.get("median_follow_up_months", UNDEFINED)
        if isinstance(months, (int, float)):
            cells.append(Cell(f"{months:.1f}", float(months)))
        else:
            cells.append(Cell("not reached" if months is None else _NOT_RECORDED))
    return tuple(cells)
