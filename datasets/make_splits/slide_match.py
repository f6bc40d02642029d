"""The slides of a label table beside those that have features."""

from __future__ import annotations

from collections.abc import Collection

from datasets.folds.cases import patient_of
from datasets.folds.fold_checks import first_ids
from datasets.folds.near_ids import did_you_mean
from datasets.make_splits.label_entries import Entries
from utils.files.phrases import counted


def matched_entries(labelled: Entries, slide_ids: Collection[str], table: str) -> Entries:
    """Return the entries under the slide ids of the feature files, where these differ in spelling only.

    That is in letter case, or for a barcode in what follows its full stop (the file identifier of a TCGA slide), and
    where only one file can be meant. Warnings count the slides without features and the features without a row in
    `table`; both stay.
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
    entries = tuple(entry._replace(slide_id=renamed.get(entry.slide_id, entry.slide_id)) for entry in labelled.entries)
    notes, warnings = labelled.notes, labelled.warnings
    if renamed:
        first = next(iter(renamed))
        notes += (
            f"{counted(len(renamed), 'slide id')} of {table} took the spelling of the feature files (such as {first}, "
            f"which is {renamed[first]})",
        )
    labels = {entry.slide_id for entry in entries}
    without, others = sorted(labels - known), sorted(known - labels)
    if without:
        warnings += (
            f"{counted(len(without), 'slide')} of {table} without a feature file: "
            f"{first_ids(without)}{did_you_mean(without[0], others)}",
        )
    if others:
        warnings += (f"{counted(len(others), 'feature file')} without a row in {table}: {first_ids(others)}",)
    return Entries(entries, notes, warnings)
