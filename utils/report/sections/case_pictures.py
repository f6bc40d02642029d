"""Explained cases in a run's report: the maps of their slides, fold by fold."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import pandas as pd

from utils.errors import UserError
from utils.files.phrases import counted
from utils.report.content import Block, Folded, Gallery, Picture, Text
from utils.report.explained_fold import ExplainedCase, ExplainedFold
from utils.report.pictures import read_picture
from utils.report.run_results import RunResults, relative_to
from utils.report.sections.case_tables import CERTAINTY_WORDS, extreme_cases, median_risk, outcome_words, told_words

# The pictures of a slide in the order shown: file, what it is.
PICTURES = {
    "overlay.png": "attention over the slide",
    "attention.png": "attention",
    "anchors.png": "anchor of each patch",
    "attended_patches.png": "most attended patches",
    "anchor_patches.png": "patches nearest to their anchor",
}
HOW_TO_EXPLAIN = (
    "There are no maps of where the model looks yet: main.py --stage explain, with the arguments of the training, "
    "makes them, and this report again."
)


def case_blocks(results: RunResults) -> tuple[Block, ...]:
    """The maps of the explained cases, and the table of the most and least certain ones."""
    table = extreme_cases(results.tables, results.classes, results.unit)
    if not results.explained:
        return (Text(HOW_TO_EXPLAIN), table)
    noun = results.unit
    text = (
        f"Attention is a patch's share of the attention of its {noun}. It says where the model took its features from, "
        f"not why. {CERTAINTY_WORDS[results.task]}"
    )
    folds = [
        Folded(
            f"Fold {fold}: {counted(len(explained.cases), f'explained {noun}')}",
            tuple(_fold_blocks(explained, results, results.tables.get(fold))),
            is_open=fold == min(results.explained),
        )
        for fold, explained in results.explained.items()
        if explained.cases
    ]
    return (Text(text), *folds, Folded(f"Table of the most and least certain {noun}s", (table,)))


def _fold_blocks(explained: ExplainedFold, results: RunResults, table: pd.DataFrame | None) -> Iterator[Block]:
    """A gallery per case, below what is to be said of every slide: why it has no map, what is in doubt."""
    slides = [slide_id for case in explained.cases for slide_id in case.slide_ids]
    said = _of_every_slide(explained, slides) if len(slides) > 1 else ()
    for text in said:
        yield Text(f"All of these slides: {text.removesuffix('.')}.")
    for case in explained.cases:
        yield _gallery(explained, case, results, table, said)


def _of_every_slide(explained: ExplainedFold, slides: Sequence[str]) -> list[str]:
    """The sentences of `slide.json` that all slides share."""
    of_slides = [list(_sentences(explained, slide_id)) for slide_id in slides]
    return [text for text in of_slides[0] if all(text in others for others in of_slides)]


def _sentences(explained: ExplainedFold, slide_id: str) -> Iterator[str]:
    """Why a slide has no map, and what is in doubt about the size of its patches, where there is something to say."""
    facts = explained.facts.get(slide_id, {})
    yield from (facts[name] for name in ("no_map", "patch_size_doubt") if isinstance(facts.get(name), str))


def _gallery(
    explained: ExplainedFold,
    case: ExplainedCase,
    results: RunResults,
    table: pd.DataFrame | None,
    said: Collection[str],
) -> Gallery:
    """The pictures of a case; `said` is what stands above."""
    pictures: list[Picture] = []
    notes: list[str] = []
    for slide_id in case.slide_ids:
        try:
            found = list(_pictures(explained, slide_id))
        except UserError as error:
            notes.append(f"Slide {slide_id}: {relative_to(explained.place, error)}")
            continue
        pictures += found
        sentences = list(_sentences(explained, slide_id))
        notes += [f"Slide {slide_id}: {text}" for text in sentences if text not in said]
        if not found and not sentences:
            notes.append(f"Slide {slide_id}: no picture was written.")
    words = [case.reason]
    if case.certainty is not None:
        words.append(f"certainty {case.certainty:.3f}")
    rows = None if table is None else table[(table["case_id"] == case.case_id) & _is_of(table, case.slide_ids)]
    if table is not None and rows is not None and len(rows):
        classes = results.classes
        told = told_words(rows.iloc[0], median_risk(table), classes)
        words += [f"outcome: {outcome_words(rows.iloc[0], classes)}", f"prediction: {told}"]
    return Gallery(
        _heading(case, by_slide=results.unit == "slide"),
        "; ".join(words),
        tuple(pictures),
        tuple(notes),
    )


def _heading(case: ExplainedCase, *, by_slide: bool) -> str:
    """The case, and in classification its slide where that has another name."""
    slides = ", ".join(case.slide_ids)
    return f"{case.case_id}, slide {slides}" if by_slide and slides != case.case_id else case.case_id


def _is_of(table: pd.DataFrame, slide_ids: tuple[str, ...]) -> pd.Series:
    """(n,) whether a row is of these slides: in classification a patient may have several rows."""
    return table["slide_ids"].map(lambda joined: not set(slide_ids).isdisjoint(joined.split(";")))


def _pictures(explained: ExplainedFold, slide_id: str) -> Iterator[Picture]:
    for name, what in PICTURES.items():
        path = explained.place / slide_id / name
        if path.exists():
            yield read_picture(path, alt=f"{what}, slide {slide_id}", caption=f"{slide_id}: {what}")
