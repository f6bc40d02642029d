"""What `main.py --stage explain` wrote of a fold, as far as the report shows it: cases, pictures, anchors."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from utils.errors import UserError
from utils.explain.advice import ADVICE
from utils.explain.anchor_statistics import read_anchor_statistics
from utils.explain.chosen_cases import read_cases
from utils.files.json_object import read_json_object


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
            found = _read_json(place / slide_id / "slide.json")
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
        mixing = _read_mixing(place / "reducer_mixing.json")
    except UserError as error:
        problems.append(error)
    return ExplainedFold(place, cases, facts, anchors, mixing, tuple(problems))


def _case(path: Path, case_id: str, slide_ids: str, reason: str, certainty: float) -> ExplainedCase:
    slides = tuple(slide_ids.split(";"))
    strange = [name for name in slides if Path(name).name != name or name in ("", ".", "..")]
    if strange:
        raise UserError(f"{path}: slide {strange[0]!r} of case {case_id} is no name of a folder; {ADVICE}.")
    return ExplainedCase(case_id, slides, reason, certainty if math.isfinite(certainty) else None)


def _read_mixing(path: Path) -> dict[str, Any] | None:
    """`reducer_mixing.json`, of which the report shows `overall`; None where the file is not there."""
    mixing = _read_json(path)
    if mixing is not None and not _is_matrix(mixing.get("overall")):
        raise UserError(f"{path}: overall is no matrix of finite numbers with rows of one length; {ADVICE}.")
    return mixing


def _is_matrix(value: object) -> bool:
    rows = value if isinstance(value, list) else []
    lengths = {len(row) if isinstance(row, list) else 0 for row in rows}
    return len(lengths) == 1 and 0 not in lengths and all(_is_finite(entry) for row in rows for entry in row)


def _is_finite(entry: object) -> bool:
    # JSON knows NaN, infinity and integers beyond float64 here; a bool would pass for an integer.
    return isinstance(entry, (int, float)) and not isinstance(entry, bool) and abs(entry) <= sys.float_info.max


def _read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where the file is not there."""
    return read_json_object(path, advice=ADVICE) if path.exists() else None
