"""The slides of a label table beside those that have features."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from datasets.folds.cases import patient_of
from datasets.folds.fold_checks import first_ids
from datasets.folds.missing_slides import GIVE_THEM, missing_in_words
from datasets.make_splits.label_entries import Entries
from datasets.slides.id_checks import check_slide_files
from utils.errors import UserError
from utils.files.phrases import counted


def matched_entries(labelled: Entries, slide_ids: Collection[str], table: Path) -> Entries:
    """Return the entries under the slide ids of the feature files, where these differ in spelling only.

    That is in letter case, or for a barcode in what follows its full stop (the file identifier of a TCGA slide), and
    where only one file can be meant. Warnings count the slides without features and the features without a row in
    `table`; both stay.

    Raises:
        UserError: no slide of `table` has features.
    """
    known = set(slide_ids)
    by_spelling: dict[str, list[str]] = {}
    for slide_id in slide_ids:
        whole = slide_id.casefold()
        for spelling in {whole, whole.split(".", 1)[0] if patient_of(slide_id) != slide_id else whole}:
            by_spelling.setdefault(spelling, []).append(slide_id)
    wanted = {entry.slide_id for entry in labelled.entries}
    renamed = {
        slide_id: found[0]
        for slide_id in sorted(wanted - known)
        if len(found := by_spelling.get(slide_id.casefold(), [])) == 1 and found[0] not in wanted
    }
    if len(set(renamed.values())) < len(renamed):  # two ids that are the same but for letter case
        renamed = {}
    check_slide_files(renamed.values(), "the feature directories")
    entries = tuple(entry._replace(slide_id=renamed.get(entry.slide_id, entry.slide_id)) for entry in labelled.entries)
    notes, warnings = labelled.notes, labelled.warnings
    if renamed:
        first = next(iter(renamed))
        notes += (
            f"{counted(len(renamed), 'slide id')} of {table.name} took the spelling of the feature files (such as "
            f"{first}, which is {renamed[first]})",
        )
    labels = {entry.slide_id for entry in entries}
    without, others = sorted(labels - known), sorted(known - labels)
    if len(without) == len(labels):
        raise UserError(
            f"no slide of {table} has a feature file (its slides: {missing_in_words(without, slide_ids)}; feature "
            f"files: {first_ids(others)}): {GIVE_THEM}"
        )
    if without:
        warnings += (
            f"{counted(len(without), 'slide')} of {table.name} without a feature file: "
            f"{missing_in_words(without, known, used=labels)}",
        )
    if others:
        warnings += (f"{counted(len(others), 'feature file')} without a row in {table.name}: {first_ids(others)}",)
    return Entries(entries, notes, warnings)
