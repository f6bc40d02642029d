"""`RUN_DIR/clinical/clinical.json`: written and read here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.clinical.predicted_cases import PREDICTIONS
from utils.errors import UserError
from utils.files.atomic import write_json
from utils.files.format_version import check_version, versioned
from utils.files.json_object import read_json_object
from utils.files.provenance import digest
from utils.runs.run_dir import fold_files

FOLDER, NAME = "clinical", "clinical.json"
_ADVICE = "write it again with python -m utils.report RUN_DIR --clinical TABLE"
_NEEDED = ("title", "task", "metric", "outcome", "table", "folds", "cases", "missing", "subgroups", "sites")


def clinical_path(run_dir: Path) -> Path:
    """Where the result of a run is."""
    return run_dir / FOLDER / NAME


def write_clinical(run_dir: Path, result: Mapping[str, Any]) -> Path:
    """Write the result of `utils.clinical.analysis.analyse`, atomically; returns its path."""
    write_json(clinical_path(run_dir), versioned(result))
    return clinical_path(run_dir)


def read_clinical(run_dir: Path) -> dict[str, Any] | None:
    """The result of a run, None where there is none.

    Raises:
        UserError: the file is damaged, or of a later version.
    """
    path = clinical_path(run_dir)
    if not path.exists():
        return None
    result = read_json_object(path, advice=_ADVICE)
    check_version(result, path)
    lacking = [name for name in _NEEDED if name not in result]
    if lacking:
        raise UserError(f"{path}: lacks {lacking[0]}; {_ADVICE}.")
    return result


def is_stale(run_dir: Path, result: Mapping[str, Any]) -> bool:
    """Whether a result was made from other test predictions than those of the run now."""
    now = {f"fold{fold}": digest(path) for fold, path in fold_files(run_dir, PREDICTIONS).items()}
    return dict(result.get("predictions") or {}) != now
