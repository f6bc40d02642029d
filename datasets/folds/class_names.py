"""The names of the classes of a folder of folds, from the record that `datasets.make_splits` writes beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from utils.errors import UserError
from utils.files.cell_text import printable, why_no_cell
from utils.files.json_object import read_json_object
from utils.files.phrases import listed, quoted
from utils.files.plain_text import plain_text

RECORD = "splits.json"
_ADVICE = "make the splits again, or remove the file to go on without names of classes"


def has_record(splits_dir: Path) -> bool:
    """Return whether a folder of folds has such a record."""
    return (splits_dir / RECORD).exists()


def read_class_names(splits_dir: Path, n_classes: int) -> tuple[str, ...] | None:
    """Return the names of the classes 0..n_classes-1 from `splits_dir/splits.json`; None where it names none.

    The record holds `classes`, {name: number}.

    Raises:
        UserError: for a record that cannot be read, or whose classes are not those of the folds.
    """
    path = splits_dir / RECORD
    if not has_record(splits_dir):
        return None
    classes = read_json_object(path, advice=_ADVICE).get("classes")
    if not classes:
        return None
    if not isinstance(classes, dict) or not _are_numbers(list(classes.values()), n_classes):
        raise UserError(
            f"{path}: classes is {printable(str(classes))}, expected the names of the {n_classes} classes of the "
            f"folds beside it, each with its number from 0 to {n_classes - 1}; {_ADVICE}."
        )
    names = tuple(map(plain_text, sorted(classes, key=lambda name: int(classes[name]))))
    check_class_names(names, path, _ADVICE)
    return names


def check_class_names(names: Sequence[str], where: Path | str, advice: str) -> None:
    """Check that names of classes can stand in tables, each for one class.

    Raises:
        UserError: for one that cannot, or that is there twice.
    """
    for name in names:
        why = why_no_cell(name)
        if why is not None:
            raise UserError(f"{where}: the class name {printable(name)} {why}, expected a short text; {advice}.")
    if len(set(names)) < len(names):
        raise UserError(f"{where}: two classes have the same name ({listed(quoted(names))}); {advice}.")


def _are_numbers(values: Sequence[object], n_classes: int) -> bool:
    """Whether the values are 0..n_classes-1 in any order, as integers."""
    numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    return len(numbers) == len(values) and sorted(numbers) == list(range(n_classes))
