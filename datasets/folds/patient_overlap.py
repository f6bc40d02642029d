"""Whether a fold file has patients in two parts, before its task is known."""

from __future__ import annotations

from pathlib import Path

from datasets.folds.cases import PARTS, Case, Fold
from datasets.folds.fold_checks import check_patients
from datasets.folds.fold_table import Row, read_rows_by_part


def check_patients_of_file(path: Path, *, allow_overlap: bool) -> tuple[str, ...]:
    """Check the patients of a fold file of either task, as `datasets.folds.splits.read_fold` does.

    Returns:
        A warning for an overlap that is allowed; nothing where there is none.

    Raises:
        UserError: for a file that cannot be read, or a patient in two of train, val and test.
    """
    rows = read_rows_by_part(path, ("slide_id",), ("case_id",))
    train, val, test = (tuple(map(_case, rows[part])) for part in PARTS)
    return check_patients(Fold(0, path, "cls", 0, train, val, test), allow_overlap)


def _case(row: Row) -> Case:
    return Case(row.case_id(), (row.slide_id(),))
