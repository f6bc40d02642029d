"""Reading `run.json`, which says how every number of a run came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.files.format_version import check_version
from utils.files.json_object import read_json_object
from utils.files.phrases import listed
from utils.runs.run_dir import RECORD
from utils.runs.run_values import wrong_value
from utils.runs.tasks import CLASSIFICATION, TASKS

DEFAULT_SEED = 2024
_OTHER_FOLDER = "name the folder that main.py wrote (RESULTS/TASK/DATASET/RUN_NAME)"
REPAIR = "restore the file, begin the run again with --overwrite, or give another --run_name"


def read_run(run_dir: Path) -> dict[str, Any]:
    """`run_dir/run.json`, checked, with `seed`, `folds`, `splits`, `warnings` and `settings` filled in where not given.

    Raises:
        UserError: the file is missing, is no JSON object, is of a later version, or lacks or misstates a value.
    """
    path = run_dir / RECORD
    advice = REPAIR if path.exists() else _OTHER_FOLDER
    given = {name: value for name, value in read_json_object(path, advice=advice).items() if value is not None}
    check_version(given, path)
    run: dict[str, Any] = {"seed": DEFAULT_SEED, "folds": [], "splits": {}, "warnings": [], "settings": {}} | given
    problem = wrong_value(run)
    if problem is not None:
        raise UserError(f"{path}: {problem}; {REPAIR}.")
    return run


def class_names(run: Mapping[str, Any], n_classes: int) -> list[str]:
    """The names of the classes of a run, in the order of their numbers; the numbers where it has no names.

    >>> class_names({"class_names": ["benign", "malignant"]}, 2), class_names({}, 3)
    (['benign', 'malignant'], ['0', '1', '2'])
    """
    names = run.get("class_names") or range(n_classes)
    return [str(name) for name in names]


def unit_of(run: Mapping[str, Any]) -> str:
    """What one prediction of a run is about: `slide` or `patient` in classification (`--unit`), `case` in survival.

    >>> unit_of({"task": "cls", "settings": {"unit": "patient"}}), unit_of({"task": "cls", "settings": {}})
    ('patient', 'slide')
    """
    task = TASKS[run["task"]]
    return str(run["settings"].get("unit", task.unit)) if task == CLASSIFICATION else task.unit


def folds_left_out(run: Mapping[str, Any]) -> str:
    """That a run is of some folds of its splits only: `2 of 5 folds of the splits were run: 0 and 1`; else empty."""
    of_splits = run.get("folds_of_splits") or []
    if set(of_splits) <= set(run["folds"]):
        return ""
    return f"{len(run['folds'])} of {len(of_splits)} folds of the splits were run: {listed(run['folds'])}"


def model_in_words(model: str, formulation: str, ablate: Sequence[str] = ()) -> str:
    """The model of a run for a title; `formulation` is `none` for models that have no forms.

    >>> model_in_words("abmil", "none")
    'abmil'
    >>> model_in_words("mico", "released", ["route"])
    'mico (released, without route)'
    """
    forms = [formulation] if formulation != "none" else []
    forms += [f"without {part}" for part in ablate]
    return f"{model} ({', '.join(forms)})" if forms else model
