"""Split files `fold{k}.csv`: read with all their checks, written in the same format."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Sequence
from dataclasses import replace
from pathlib import Path

from datasets.folds.cases import PARTS, TASKS, Case, Fold, patient_of
from datasets.folds.class_names import has_record, read_class_names
from datasets.folds.fold_checks import (
    N_NAMED,
    check_events,
    check_letter_case,
    check_outcomes,
    check_parts_filled,
    check_patients,
    check_patients_named,
    check_slides_unique,
)
from datasets.folds.fold_table import Row, read_rows_by_part, write_columns
from datasets.folds.missing_slides import GIVE_THEM, missing_in_words
from datasets.folds.survival_bins import LONGEST_MONTHS, assign_bins, bin_edges, check_n_bins
from utils.errors import UserError, cannot_read
from utils.files.phrases import agreeing, counted

__all__ = ["Case", "Fold", "find_folds", "keep_available", "read_fold", "read_training_slides", "write_fold"]

_FOLD_NAME = re.compile(r"fold(0|[1-9]\d*)\.csv")
MOST_FOLDS = 10_000
_MONTHS = "survival_months"
_CENSORED = "censorship"
_BIN = "disc_label"


def find_folds(directory: Path) -> list[int]:
    """Return the k of every `fold{k}.csv` in `directory`, ascending; UserError when there is none."""
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f"the splits directory {directory} does not exist: give an existing directory")
    try:
        names = [path.name for path in directory.iterdir() if _FOLD_NAME.fullmatch(path.name)]
    except OSError as error:
        raise cannot_read(directory, error) from error
    folds = sorted(fold_number(directory / name) for name in names)
    if not folds:
        raise UserError(f"no fold file in {directory}: expected fold0.csv, fold1.csv and so on")
    return folds


def read_fold(path: Path, task: str, *, n_bins: int = 4, allow_patient_overlap: bool = False) -> Fold:
    """Read and check `fold{k}.csv`.

    Columns, for each part s of train, val, test: `{s}_slide_id, {s}_label` and optionally `{s}_case_id` (cls), or
    `{s}_slide_id, {s}_case_id, {s}_survival_months, {s}_censorship` and optionally `{s}_disc_label` (surv; months,
    1 = censored). Without `{s}_disc_label` the time bins are quantiles of the uncensored training cases. Without
    `{s}_case_id` the patient is that of a barcode of TCGA or CPTAC, else the slide; where no id shows one and no
    `splits.json` lies beside the file, a warning says so.

    Raises UserError, naming file, line, column, slide or patients, for: missing columns; values that do not parse;
    a slide twice; two times, censorships or bins for one case; an empty part; one class, or a class missing in train;
    no event in train; a bin outside 0..n_bins-1; a patient in two parts (a warning with `allow_patient_overlap`); a
    record of classes beside the file that are not its own.
    """
    path = Path(path)
    if task not in TASKS:
        raise ValueError(f"unknown task {task!r}: expected one of {', '.join(TASKS)}")
    index = fold_number(path)
    check_n_bins(n_bins)
    required = ("slide_id", "label") if task == "cls" else ("slide_id", _MONTHS, _CENSORED, "case_id")
    rows = read_rows_by_part(path, required, ("case_id",) if task == "cls" else (_BIN,))
    check_slides_unique(((part, row.slide_id()) for part in PARTS for row in rows[part]), path)
    cases = {part: _slide_cases(rows[part]) if task == "cls" else _patient_cases(rows[part]) for part in PARTS}
    labels = [case.label for part in PARTS for case in cases[part] if case.label is not None]
    n_outputs = max(labels, default=0) + 1 if task == "cls" else n_bins
    fold = Fold(index, path, task, n_outputs, cases["train"], cases["val"], cases["test"])
    check_parts_filled(fold)
    if task == "cls":
        _check_largest_label([row for part in PARTS for row in rows[part]], labels)
    if task == "surv" and fold.train[0].bin is None:
        check_events(fold)
        fold = _with_bins(fold)
    warnings = (*check_outcomes(fold), *check_patients(fold, allow_patient_overlap), *check_letter_case(fold))
    if task == "cls":  # now that each class is known to have cases
        fold = replace(fold, class_names=read_class_names(path.parent, n_outputs))
    # Whoever wrote the record beside the folds knew the patients, or has said that nothing names them.
    if task == "cls" and not any("case_id" in row.cells for row in rows["train"]) and not has_record(path.parent):
        warnings += check_patients_named(fold.slides())
    return replace(fold, warnings=warnings)


def fold_number(path: Path) -> int:
    """Return k of a path `fold{k}.csv`; UserError for another name, or a number that is none of a fold."""
    name = _FOLD_NAME.fullmatch(path.name)
    if not name:
        raise UserError(f"{path} is not named like a fold file: expected fold0.csv, fold1.csv and so on")
    if int(name.group(1)) > MOST_FOLDS:
        raise UserError(f"the number of {path} is larger than {MOST_FOLDS:,}, and no number of a fold: rename it")
    return int(name.group(1))


def read_training_slides(path: Path) -> list[str]:
    """Return the training slides of a split file of either task, in its order; UserError when there is none."""
    slide_ids = [row.slide_id() for row in read_rows_by_part(Path(path), ("slide_id",))["train"]]
    if not slide_ids:
        raise UserError(f"{path} has no training slide: fill in its column train_slide_id")
    return slide_ids


def write_fold(path: Path, fold: Fold) -> None:
    """Write `fold` in the format that `read_fold` reads (one row per slide), atomically.

    The case ids of a classification fold are written only where they say more than the slide ids do.
    """
    cases = [case for part in PARTS for case in fold.part(part)]
    with_case_id = fold.task == "surv" or any(case.case_id != patient_of(case.slide_ids[0]) for case in cases)
    columns: dict[str, list[str]] = {}
    for part in PARTS:
        rows = [(slide_id, case) for case in fold.part(part) for slide_id in case.slide_ids]
        columns[f"{part}_slide_id"] = [slide_id for slide_id, _ in rows]
        if with_case_id:
            columns[f"{part}_case_id"] = [case.case_id for _, case in rows]
        if fold.task == "cls":
            columns[f"{part}_label"] = [str(case.label) for _, case in rows]
        else:
            columns[f"{part}_{_MONTHS}"] = [repr(case.time) for _, case in rows]
            columns[f"{part}_{_CENSORED}"] = [str(case.censored) for _, case in rows]
            columns[f"{part}_{_BIN}"] = [str(case.bin) for _, case in rows]
    write_columns(Path(path), columns)


def keep_available(fold: Fold, available: Collection[str], on_missing: str) -> tuple[Fold, tuple[str, ...]]:
    """Return the fold restricted to slides with features, and the ids of the slides without, in file order.

    `available` holds the slide ids with features. `on_missing` "error" raises UserError with the count, the first ids
    of missing slides and the feature file nearest to each (`missing_in_words`); "drop" leaves them out, and with them
    the cases that keep no slide, and adds a warning. Bins and n_outputs stay those of the whole fold. What is left must
    still pass the checks on parts and outcomes.
    """
    if on_missing not in ("error", "drop"):
        raise ValueError(f"unknown choice {on_missing!r} for missing slides: expected error or drop")
    slide_ids = fold.slides()
    missing = tuple(slide_id for slide_id in slide_ids if slide_id not in available)
    if not missing:
        return fold, ()
    words = missing_in_words(missing, available, used=slide_ids)
    have = agreeing(len(missing), "has", "have")
    found = f"{len(missing)} of {counted(len(slide_ids), 'slide')} of {fold.path} {have} no feature file ({words})"
    if on_missing == "error":
        raise UserError(f"{found}: {GIVE_THEM}, or pass --on_missing drop to go on without them")
    kept = {part: _keep(fold.part(part), available) for part in PARTS}
    for part in PARTS:
        if not kept[part]:
            raise UserError(f"{found}, which leaves no case in {part}: extract their features")
    fold = replace(fold, train=kept["train"], val=kept["val"], test=kept["test"])
    try:
        new = [warning for warning in check_outcomes(fold) if warning not in fold.warnings]
    except UserError as error:
        raise UserError(f"{found}, and without them {error}") from error
    dropped = f"{found} and {agreeing(len(missing), 'was', 'were')} dropped"
    return replace(fold, warnings=(*fold.warnings, dropped, *new)), missing


def _keep(cases: Sequence[Case], available: Container[str]) -> tuple[Case, ...]:
    kept = (replace(case, slide_ids=tuple(s for s in case.slide_ids if s in available)) for case in cases)
    return tuple(case for case in kept if case.slide_ids)


def _slide_cases(rows: Sequence[Row]) -> tuple[Case, ...]:
    """Classification: one case per slide."""
    expected = "a class label, an integer of 0 or more"
    cases = []
    for row in rows:
        label = row.integer("label", expected)
        if label < 0:
            raise row.error("label", expected)
        cases.append(Case(row.case_id(), (row.slide_id(),), label=label))
    return tuple(cases)


def _check_largest_label(rows: Sequence[Row], labels: Sequence[int]) -> None:
    """Refuse a label, in one of these rows, that is far above the number of classes: most often it is mistyped."""
    n_classes, largest = len(set(labels)), max(labels)
    if n_classes > 1 and largest >= n_classes + N_NAMED:
        raise rows[labels.index(largest)].error(
            "label",
            f"0 to {n_classes - 1}, since the file has {counted(n_classes, 'different label')}; correct it, or number "
            "the classes from 0 on",
        )


def _patient_cases(rows: Sequence[Row]) -> tuple[Case, ...]:
    """Survival: one case per case id, with all its slides, in the order of first appearance."""
    cases: dict[str, Case] = {}
    for row in rows:
        case = _survival_row(row)
        first = cases.setdefault(case.case_id, case)
        if first is case:
            continue
        if (first.time, first.censored, first.bin) != (case.time, case.censored, case.bin):
            raise UserError(
                f"case {case.case_id} has two outcomes in {row.part} of {row.path} (line {row.line} differs from an "
                "earlier one in months, censorship or bin): expected one per case"
            )
        cases[case.case_id] = replace(first, slide_ids=first.slide_ids + case.slide_ids)
    return tuple(cases.values())


def _survival_row(row: Row) -> Case:
    expected = f"a survival time in months, from 0 to {LONGEST_MONTHS:,}"
    time = row.number(_MONTHS, expected)
    if not 0 <= time <= LONGEST_MONTHS:
        raise row.error(_MONTHS, expected)
    censored = row.integer(_CENSORED, "0 (event) or 1 (censored)")
    if censored not in (0, 1):
        raise row.error(_CENSORED, "0 (event) or 1 (censored)")
    time_bin = row.integer(_BIN, "a time bin, an integer of 0 or more") if _BIN in row.cells else None
    return Case(row.case_id(), (row.slide_id(),), time=time, censored=censored, bin=time_bin)


def _with_bins(fold: Fold) -> Fold:
    """The fold with time bins fitted on its training cases."""
    try:
        edges = bin_edges([c.time or 0.0 for c in fold.train], [c.censored or 0 for c in fold.train], fold.n_outputs)
    except UserError as error:
        raise UserError(f"{fold.path} has no disc_label columns, and {error}") from error
    binned = {}
    for part in PARTS:
        cases = fold.part(part)
        bins = assign_bins([case.time or 0.0 for case in cases], edges)
        binned[part] = tuple(replace(case, bin=int(index)) for case, index in zip(cases, bins, strict=True))
    return replace(fold, train=binned["train"], val=binned["val"], test=binned["test"])
