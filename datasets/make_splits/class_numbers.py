"""The numbers of the classes that a column of labels holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from datasets.folds.class_names import check_class_names
from datasets.folds.fold_checks import first_ids
from datasets.folds.near_ids import nearest_id
from datasets.make_splits.label_table import whole_number
from utils.errors import UserError
from utils.files.phrases import counted, quoted

MOST_CLASSES = 1000


def plain_names(labels: Collection[str]) -> dict[str, str]:
    """Each label -> its name: integers as `3` even where they are written `3.0`, when all labels are integers."""
    integers = {text: whole_number(text) for text in labels}
    if None in integers.values():
        return {text: text for text in labels}
    return {text: str(integer) for text, integer in integers.items()}


def numbered_classes(
    found: Collection[str], where: str, class_names: Sequence[str] | None, dropped: str
) -> dict[str, int]:
    """Return class name -> 0..C-1, in the order of `class_names`, else sorted: see `classification_cases`.

    Args:
        found: the classes of the column, as `plain_names` writes them.
        where: the column and its file, for messages.
        class_names: those that a user names.
        dropped: what is known of the rows without a label, for a message.

    Raises:
        UserError: a class outside `class_names`, a class without slides or named twice, fewer than two classes.
    """
    if len(found) > MOST_CLASSES:
        raise UserError(
            f"{where} holds {len(found):,} different values: expected at most {MOST_CLASSES:,} classes; name the "
            "column of the class with --label_column"
        )
    integers = all(whole_number(name) is not None for name in found)
    if class_names is None:
        names = sorted(found, key=int) if integers else sorted(found)
    else:
        plain = plain_names(class_names) if integers else {name: name for name in class_names}
        names = [plain[name] for name in class_names]
    _refuse_others(found, where, names, "--classes")
    without = [name for name in names if name not in found]
    if without:
        raise UserError(
            f"no row has the class {without[0]!r} in {where} (found {first_ids(quoted(sorted(found)))}): correct "
            "--classes"
        )
    if len(set(names)) != len(names):
        raise UserError(f"--classes names a class twice ({', '.join(quoted(names))}): expected each once")
    if len(names) < 2:
        more = f"; {dropped}; a class of that name is kept by --classes" if dropped else ""
        raise UserError(f"{where} holds one class only ({names[0]!r}): expected two or more{more}")
    check_class_names(names, where, "rename it there")
    return {name: index for index, name in enumerate(names)}


def classes_of_model(
    found: Collection[str], where: str, class_names: Sequence[str] | None, known_classes: Sequence[str]
) -> dict[str, int]:
    """Return class -> number of a trained model; `class_names` are the words that the table has for its classes.

    Raises:
        UserError: a class of the column that is none of these, or more or fewer words than the model has classes.
    """
    names = list(known_classes)
    advice = "; where the table has other words for them, --classes gives these in the order of the model's classes"
    if class_names is not None and not set(class_names) <= set(names):
        if len(class_names) != len(names):
            raise UserError(
                f"--classes names {counted(len(class_names), 'class', 'classes')} ({', '.join(quoted(class_names))}): "
                f"expected the words of the table for the {len(names)} of the model, in the order "
                f"{', '.join(quoted(names))}"
            )
        names, advice = list(class_names), ""
    _refuse_others(found, where, names, "the classes of the model", advice)
    return {name: index for index, name in enumerate(names)}


def _refuse_others(found: Collection[str], where: str, names: Sequence[str], of: str, more: str = "") -> None:
    unknown = sorted(set(found) - set(names))
    if unknown:
        near = nearest_id(unknown[0], names)
        meant = f" (did you mean {near!r}?)" if near else ""
        raise UserError(
            f"{where} holds {first_ids(quoted(unknown))}, not among {of} {', '.join(quoted(names))}{meant}: "
            f"correct it, or blank these cells or give the words to --missing to leave the rows out{more}"
        )
