"""What `main.py --stage explain` wrote of a fold, as far as the report shows it: cases, pictures, anchors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from utils.errors import UserError
from utils.explain.advice import ADVICE
from utils.explain.anchor_statistics import read_anchor_statistics
from utils.explain.chosen_cases import read_cases
from utils.explain.reducer_mixing import REDUCER_MIXING, read_mixing
from utils.explain.slide_facts import read_slide_facts


@dataclass(frozen=True)
class ExplainedCase:
    """A case whose slides have maps: why it was chosen (`most certain`, `least certain`, `chosen`) and how certain."""

    case_id: str
    slide_ids: tuple[str, ...]
    reason: str
    certainty: float | None


@dataclass(frozen=True)
class ExplainedFold:
    """The explanations of one fold.

    Attributes:
        place: its folder `fold{k}/explain`.
        cases: in the order of `cases.csv`.
        facts: {slide_id: `slide.json`}, of the slides that have one.
        anchors: `anchors.csv`; None for a model without anchors.
        mixing: `reducer_mixing.json`; None where it is not there.
        problems: one for each file that is damaged.
    """

    place: Path
    cases: tuple[ExplainedCase, ...]
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    anchors: pd.DataFrame | None = None
    mixing: dict[str, Any] | None = None
    problems: tuple[UserError, ...] = ()


def read_explained_fold(path: Path) -> ExplainedFold:
    """The explanations of the fold whose `explain/cases.csv` is `path`; files beside it that are damaged are left out.

    Raises:
        UserError: `cases.csv` is unreadable, lacks a column or holds a cell that is not as in `utils.explain`.
    """
    cases = tuple(_case(path, *row) for row in read_cases(path).itertuples(index=False, name=None))
    place = path.parent
    problems: list[UserError] = []
    facts: dict[str, dict[str, Any]] = {}
    for slide_id in dict.fromkeys(slide_id for case in cases for slide_id in case.slide_ids):
        try:
            found = read_slide_facts(place / slide_id)
        except UserError as error:
            problems.append(error)
        else:
            if found is not None:
                facts[slide_id] = found
    anchors, mixing = None, None
    try:
        if (place / "anchors.csv").exists():
            anchors = read_anchor_statistics(place / "anchors.csv")
    except UserError as error:
        problems.append(error)
    try:
        mixing = read_mixing(place / REDUCER_MIXING)
    except UserError as error:
        problems.append(error)
    return ExplainedFold(place, cases, facts, anchors, mixing, tuple(problems))


def _case(path: Path, case_id: str, slide_ids: str, reason: str, certainty: float) -> ExplainedCase:
    slides = tuple(slide_ids.split(";"))
    strange = [name for name in slides if Path(name).name != name or name in ("", ".", "..")]
    if strange:
        raise UserError(f"{path}: slide {strange[0]!r} of case {case_id} is no name of a folder; {ADVICE}.")
    return ExplainedCase(case_id, slides, reason, certainty if math.isfinite(certainty) else None)
