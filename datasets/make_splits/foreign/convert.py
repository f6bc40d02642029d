"""Fold files from the splits of another repository, with a record of where each came from.

python -m datasets.make_splits --from clam splits/task_2 --labels task_2.csv --task cls --output_dir splits/task_2_folds
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from datasets.folds.cases import PARTS, Case, Fold
from datasets.folds.class_names import check_class_names
from datasets.folds.fold_checks import (
    check_outcomes,
    check_parts_filled,
    check_patients,
    check_slides_unique,
    first_ids,
)
from datasets.folds.split_report import outcome_warnings
from datasets.folds.splits import read_fold
from datasets.make_splits.foreign.foreign_fold import ForeignFold, numbered
from datasets.make_splits.foreign.id_tables import read_id_tables
from datasets.make_splits.foreign.known_cases import KnownCases, LeftOut, left_out_notes
from datasets.make_splits.foreign.labelled_tables import LABEL, SLIDE, read_labelled_tables
from datasets.make_splits.foreign.part_tables import OVERALL, read_part_tables
from datasets.make_splits.foreign.settings import NEEDS_TABLE, ForeignSettings
from datasets.make_splits.foreign.validation_part import split_off
from datasets.make_splits.label_cases import LabelledCases
from datasets.make_splits.label_options import OF_TASK, LabelOptions, in_plain_text
from datasets.make_splits.labelled_cases import cases_of_table, labelled_cases
from datasets.make_splits.make_splits import check_output, counts_of_folds, said, write_split
from datasets.make_splits.patient_folds import Split, with_bins
from datasets.make_splits.plain_ids import decimals_note
from datasets.make_splits.recorded import recorded_option, without_folders
from datasets.slides.slide_files import find_slides
from utils.errors import UserError
from utils.files.phrases import counted, listed, quoted
from utils.files.provenance import digest


@dataclass(frozen=True)
class _Read:
    """A fold as it was read: the cases of its parts, the labels behind them, where it stands, and what to say."""

    parts: Mapping[str, tuple[Case, ...]]
    labelled: LabelledCases
    source: ForeignFold
    notes: Sequence[str] = ()


def convert(layout: str, place: Path, settings: ForeignSettings) -> Split:
    """Write `fold{k}.csv` and `splits.json` to `settings.output_dir`, and return the folds.

    A fold keeps its number. Where it has no validation part, one is split off from its training patients. The time
    bins (surv) are made from its training cases.

    Args:
        layout: one of `LAYOUTS`.
        place: the folder or file of the splits.
        settings: how labels are read and what is accepted.

    Raises:
        UserError: the splits or labels cannot be read or contradict each other; nothing is written then.
    """
    settings = in_plain_text(settings)
    check_output(settings.output_dir, overwrite=settings.overwrite)
    if (layout in NEEDS_TABLE) != (settings.labels is not None):
        found, expected = ("no", "give it") if layout in NEEDS_TABLE else ("a", "leave it out, the splits hold labels")
        raise UserError(f"got {found} label table (--labels) with --from {layout}: {expected}")
    if settings.features_dir is not None and layout not in NEEDS_TABLE:
        raise UserError(
            f"got feature files (--features_dir) with --from {layout}, whose splits name the slides: leave them out"
        )
    read = _read_own(place, settings) if layout == "mico" else _read_foreign(layout, place, settings)
    folds, edges, notes, split_off_of = [], [], list[str](), list[int]()
    warnings = [warning for each in read for warning in each.labelled.warnings]
    for each in read:
        fold, fold_edges, split_off_here = _fold(each, settings)
        folds.append(fold)
        edges += [] if fold_edges is None else [fold_edges]
        notes += [*each.source.notes, *each.notes]
        if split_off_here:
            split_off_of.append(fold.index)
        warnings += fold.warnings
    if split_off_of:
        notes.append(
            f"{'fold' if len(split_off_of) == 1 else 'folds'} {listed(split_off_of)} had no validation part: a share "
            f"of {settings.val_fraction} of the training patients became one, alike in outcome (--val_fraction)"
        )
    labelled = read[0].labelled
    notes = list(dict.fromkeys([*(note for each in read for note in each.labelled.notes), *notes]))
    warnings += outcome_warnings(folds) if settings.task == "surv" else ()
    split = Split(tuple(folds), tuple(edges), replace(labelled, notes=tuple(notes)), tuple(dict.fromkeys(warnings)))
    sources = [path for each in read for path in each.source.sources]
    write_split(
        settings.output_dir, folds, _record(layout, place, settings, split, sources), overwrite=settings.overwrite
    )
    return split


def _read_foreign(layout: str, place: Path, settings: ForeignSettings) -> list[_Read]:
    if layout == "panther":
        found = read_part_tables(place, settings)
    else:
        found = read_labelled_tables(place) if layout == "transmil" else read_id_tables(place)
    slide_ids = None if settings.features_dir is None else find_slides(settings.features_dir)
    of_table = None if settings.labels is None else labelled_cases(settings, settings.task, slide_ids=slide_ids)
    read, left_out = list[_Read](), list[LeftOut]()
    for source in found:
        labelled = of_table or _labels_in(layout, source, settings)
        known, where = KnownCases(labelled, of_patients=layout == "survpath"), _where(source)
        parts = dict[str, tuple[Case, ...]]()
        for part, ids in source.ids.items():
            parts[part], without = known.of(ids, where, on_missing=settings.on_missing)
            left_out.append(without)
        read.append(_Read(parts, labelled, source))
    classes = [each.labelled.classes for each in read]
    different = next((found for found in classes if found != classes[0]), None)
    if different is not None:
        names = " and ".join(", ".join(quoted(found)) for found in (classes[0], different))
        raise UserError(f"the folds of {place} have different classes ({names}): expected the same in each")
    all_ids = (identifier for source in found for ids in source.ids.values() for identifier in ids)
    decimals = decimals_note(all_ids, f"the splits in {place}")
    notes = (*decimals, *left_out_notes(left_out, place), *_unused(read, of_table, settings))
    return [*read[:-1], replace(read[-1], notes=notes)]


def _unused(read: Sequence[_Read], of_table: LabelledCases | None, settings: ForeignSettings) -> Iterator[str]:
    """How many slides of a label table are in no part of any fold."""
    if of_table is None:
        return
    used = {s for each in read for cases in each.parts.values() for case in cases for s in case.slide_ids}
    left = [s for case in of_table.cases for s in case.slide_ids if s not in used]
    if left:
        yield f"{counted(len(left), 'slide')} of {settings.labels} in no part of the splits: {first_ids(left)}"


def _labels_in(layout: str, source: ForeignFold, settings: ForeignSettings) -> LabelledCases:
    """The labels that stand beside the ids of a fold."""
    if source.table is None:
        raise ValueError(f"a fold of {layout} without labels")
    given = {field.name: getattr(settings, field.name) for field in fields(LabelOptions)}
    if layout == "transmil":
        given |= {"slide_column": SLIDE, "label_column": LABEL, "classes": None}
        labelled = cases_of_table(source.table, LabelOptions(**given), settings.task)
        return labelled if settings.classes is None else _named(labelled, settings.classes)
    named = any(given[name] is not None for name in OF_TASK["surv"])
    if settings.task == "surv" and not named and {*OVERALL} <= {*source.table.header}:
        given |= {"time_column": OVERALL[0], "censor_column": OVERALL[1], "time_unit": "days"}
        labelled = cases_of_table(source.table, LabelOptions(**given), settings.task)
        said = f"the outcome is overall survival: {OVERALL[0]} and {OVERALL[1]} (1 = censored)"
        return replace(labelled, notes=(said, *labelled.notes))
    return cases_of_table(source.table, LabelOptions(**given), settings.task)


def _named(labelled: LabelledCases, names: Sequence[str]) -> LabelledCases:
    """The cases with names for the classes that are numbers in the files, in the order of these."""
    check_class_names(names, "--classes", "give other names")
    if len(names) != len(labelled.classes):
        raise UserError(f"{_n_named(names)}: expected the {len(labelled.classes)} of the splits")
    return replace(labelled, classes={name: number for number, name in enumerate(names)})


def _n_named(names: Sequence[str]) -> str:
    return f"--classes names {counted(len(names), 'class', 'classes')} ({', '.join(quoted(names))})"


def _read_own(place: Path, settings: ForeignSettings) -> list[_Read]:
    """Folds of this repository's format, whose classes have numbers."""
    read, notes = list[_Read](), tuple[str, ...]()
    if settings.task == "surv":
        notes += ("the time bins were made again, from the training cases of each fold",)
    paths = numbered(place, r"fold(\d+)\.csv", "fold0.csv, fold1.csv and so on")
    if [*paths] == [0]:
        notes += ("fold 0 is the only one, as in MiCo's published folders, whose figures are of 4 folds",)
    for index, path in paths.items():
        fold = read_fold(path, settings.task, n_bins=settings.n_bins, allow_patient_overlap=True)
        names = settings.classes or fold.class_names or tuple(str(label) for label in range(fold.n_outputs))
        if settings.task == "cls" and len(names) != fold.n_outputs:
            raise UserError(f"{_n_named(names)}: expected the {fold.n_outputs} of {path}")
        check_class_names(names, "--classes", "give other names")
        classes = {name: number for number, name in enumerate(names)} if settings.task == "cls" else {}
        parts = {part: fold.part(part) for part in PARTS}
        read.append(_Read(parts, LabelledCases((), classes=classes), ForeignFold(index, {}, (path,), notes=notes)))
    return read


def _fold(each: _Read, settings: ForeignSettings) -> tuple[Fold, np.ndarray | None, bool]:
    """The fold, checked, the edges of its time bins, and whether its validation part was split off here."""
    parts, source, where = each.parts, each.source, _where(each.source)
    check_slides_unique(((part, s) for part, cases in parts.items() for case in cases for s in case.slide_ids), where)
    train, val = parts["train"], parts.get("val", ())
    lacks_val = not val
    if lacks_val and train:
        kept, drawn = split_off(train, settings.val_fraction, settings.seed, source.index)
        train, val = tuple(kept), tuple(drawn)
    n_outputs = len(each.labelled.classes) or settings.n_bins
    fold = Fold(source.index, where, settings.task, n_outputs, train, val, parts["test"])
    check_parts_filled(fold)
    edges = None
    if settings.task == "surv":
        fold, edges = with_bins(fold)
    warnings = (*check_outcomes(fold), *check_patients(fold, settings.allow_patient_overlap))
    return replace(fold, path=settings.output_dir / f"fold{source.index}.csv", warnings=warnings), edges, lacks_val


def _where(source: ForeignFold) -> Path:
    """What messages name: the file of a fold, or the folder of its files."""
    return source.sources[0] if len(source.sources) == 1 else source.sources[0].parent


def _record(
    layout: str, place: Path, settings: ForeignSettings, split: Split, sources: Sequence[Path]
) -> dict[str, Any]:
    """The content of splits.json."""
    given = {field.name: recorded_option(getattr(settings, field.name)) for field in fields(settings)}
    options = {name: value for name, value in given.items() if value is not None}
    labelled = split.labelled
    record: dict[str, Any] = {"from": layout, "path": recorded_option(place), "options": options, **labelled.record}
    record["sources"] = [{"file": without_folders(str(path), [place]), "sha256": digest(path)} for path in sources]
    record |= {"classes": dict(labelled.classes)} if settings.task == "cls" else {}
    places = [place, settings.labels, settings.slides, settings.output_dir, *(settings.features_dir or ())]
    return record | {
        "dropped_slides": list(labelled.dropped),
        **said(split, places),
        "folds": counts_of_folds(split),
    }
