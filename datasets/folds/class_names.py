"""The names of the classes of a folder of folds, from the record that `datasets.make_splits` writes beside them."""

from __future__ import annotations

from pathlib import Path

from utils.errors import UserError
from utils.files.json_object import read_json_object
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
    if not isinstance(classes, dict) or sorted(classes.values(), key=str) != sorted(range(n_classes), key=str):
        raise UserError(
            f"{path}: classes is {classes!r}, expected the names of the {n_classes} classes of the folds beside it, "
            f"each with its number from 0 to {n_classes - 1}; {_ADVICE}."
        )
    return tuple(map(plain_text, sorted(classes, key=lambda name: int(classes[name]))))
