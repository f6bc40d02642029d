"""`anchors.md`: the anchors of one fold as a table, and what may and may not be read into it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from utils.explain.anchor_notes import named_notes
from utils.explain.anchor_statistics import auc_columns, classes_of
from utils.files.text_table import format_p, markdown_table
from utils.runs.class_words import ClassWords
from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import SURVIVAL

READING_NOTES: tuple[str, ...] = (
    "Anchors of different folds are fitted separately: anchor 7 of fold 0 is not anchor 7 of fold 1. Nothing here may "
    "be pooled or compared over folds by the number of an anchor; look at its patches.",
    "Associations are computed over the fold's test cases (in classification, each slide is a case unless patients are "
    "classified), which the model has not seen. They are no causes: a tissue may go along with an outcome because of "
    "stage, site, scanner or stain.",
    "There is one test per anchor. Only p values after Holm's correction say anything about one anchor among all of "
    "them, and that correction does not cover the folds.",
    "Shares of a case sum to 1: where one anchor has more, others have less. A pair of opposite associations may be "
    "one finding.",
    "Each patch counts for the anchor that it is nearest to in feature space: that says which tissue an anchor stands "
    "for. The model compares patches and anchors after projections of their own, and may choose another anchor (or, "
    "with soft assignment, mix all of them): the maps show both.",
    "Attention says what the weighted mean was taken over, not what decided the prediction: other attention can give "
    "the same prediction (Jain and Wallace, Attention is not Explanation, NAACL 2019).",
    "The mixing of the Cluster Reducers is a linearisation around the anchors seen, averaged over features: small "
    "changes only, and opposite features may cancel.",
    "Folds are small: with few cases or deaths, intervals are wide and approximate, those of anchors in a handful of "
    "cases most of all (see the notes), and an association that is not found may still be there.",
)
_SURVIVAL_WORDS = (
    "Log hazard per standard deviation of the share over the test cases (Cox, one covariate, Efron's ties; Wald "
    "interval); above 0, cases with more of the anchor die earlier; exp of it is the hazard ratio."
)
_CLASS_WORDS = (
    "AUC of the share for a class against the rest (DeLong's variance, or Obuchowski's where patients have several "
    "slides; interval on the logit scale); above 0.5, cases of the class have more of the anchor. An AUC of 0 or 1 has "
    "no interval: where it has a p, that is exact."
)
_COLUMN_WORDS = (
    "share: of the patches of all test cases; cases: with at least one such patch; attention: per patch, 1 is as much "
    "as the average patch of the same cases; p (Holm): corrected over the anchors."
)


def anchor_text(
    statistics: pd.DataFrame, predictions: pd.DataFrame, title: str, words: ClassWords | None = None
) -> str:
    """The text of `anchors.md`.

    Args:
        statistics: as of `utils.explain.anchor_statistics`; anchors stand in the order of their share.
        predictions: of the fold's test cases, which the statistics were made from.
        title: of the page.
        words: names of the classes.
    """
    words = words or ClassWords.numbered(len(output_columns(predictions)))
    classes, n_cases = classes_of(statistics), len(predictions)
    present = statistics[statistics["n_patches"] > 0].sort_values(["share", "anchor"], ascending=[False, True])
    header = ["anchor", "patches", "share", "cases", "attention", *_association_header(classes, words)]
    rows = [_row(row, classes, n_cases) for _, row in present.iterrows()]
    if (present["note"] != "").any():
        header.append("note")
        rows = [[*cells, named_notes(note, words)] for cells, note in zip(rows, present["note"], strict=True)]
    blocks = [
        f"# {title}: anchors",
        f"{_cases_in_words(predictions, words)}, {statistics['n_patches'].sum():,} patches, {len(statistics)} anchors.",
        markdown_table([header, *rows]),
        f"{_COLUMN_WORDS} {_SURVIVAL_WORDS if classes is None else _CLASS_WORDS}",
    ]
    absent = statistics.loc[statistics["n_patches"] == 0, "anchor"]
    if len(absent):
        blocks.append(f"Nearest to no patch: {', '.join(str(k) for k in absent)}.")
    blocks.append("What may be read into this:\n\n" + "\n".join(f"- {note}" for note in READING_NOTES))
    return "\n\n".join(blocks) + "\n"


def _cases_in_words(predictions: pd.DataFrame, words: ClassWords) -> str:
    """`40 test cases (24 deaths)`, or with the cases of each class."""
    if task_of(predictions) == SURVIVAL:
        return f"{len(predictions)} test cases ({predictions['event'].sum()} deaths)"
    counts = [(predictions["label"] == c).sum() for c in range(len(output_columns(predictions)))]
    return f"{len(predictions)} test cases ({', '.join(f'{n} of {words.full(c)}' for c, n in enumerate(counts))})"


def _association_header(classes: list[int] | None, words: ClassWords) -> list[str]:
    if classes is None:
        return ["log hazard per SD (95 %)", "p", "p (Holm)"]
    called = [words.brief(c) for c in classes]
    return [name for c in called for name in (f"AUC {c} (95 %)", f"p {c}", f"p {c} (Holm)")]


def _row(row: pd.Series, classes: list[int] | None, n_cases: int) -> list[str]:
    cells = [str(row["anchor"]), f"{row['n_patches']:,}", _percent(row["share"]), f"{row['n_cases']} of {n_cases}"]
    cells.append(_number(row["mean_attention"]))
    if classes is None:
        log_hazard = _interval(*(row[name] for name in ("log_hazard", "log_hazard_low", "log_hazard_high")))
        return [*cells, log_hazard, _p(row["p"]), _p(row["p_holm"])]
    for positive in classes:
        estimate, low, high, p, corrected = (row[name] for name in auc_columns(positive))
        cells += [_interval(estimate, low, high), _p(p), _p(corrected)]
    return cells


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 else "<0.1 %"


def _number(value: float) -> str:
    """Two decimals, as far as they say something.

    >>> _number(1.234), _number(0.001), _number(4321.0), _number(1e20), _number(float("nan"))
    ('1.23', '<0.01', '4,321', '>1,000,000', '–')
    """
    if np.isnan(value):
        return "–"
    if value > 1_000_000:
        return ">1,000,000"
    if 0 < value < 0.005:
        return "<0.01"
    return f"{value:.2f}" if value < 1000 else f"{value:,.0f}"


def _interval(estimate: float, low: float, high: float) -> str:
    if np.isnan(low):
        return _number(estimate)
    return f"{_number(estimate)} ({_number(low)} to {_number(high)})"


def _p(p: float) -> str:
    return "–" if np.isnan(p) else format_p(p)
