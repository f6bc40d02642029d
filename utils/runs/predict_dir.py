"""`RUN_DIR/predict/NAME/`: what a trained run says of another cohort, and `predict.json`, which says how it came about.

The folder holds `predictions.csv` (the ensemble of the folds), `predictions_fold{k}.csv`, and where outcomes are known
`metrics.json`, `summary.{csv,json,md}`, `figures/` and `report.html`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.files.atomic import write_json
from utils.files.format_version import check_version, versioned
from utils.files.json_object import read_json_object
from utils.files.provenance import digest

RECORD = "predict.json"
ENSEMBLE = "predictions.csv"
PARTIAL = "partial.pt"  # the cases that an interrupted call has predicted
ADVICE = "write it again with main.py --stage predict --overwrite"
_EVALUATION = ("metrics.json", "summary.csv", "summary.json", "summary.md", "report.html")
_PREDICTIONS = re.compile(r"predictions_fold(0|[1-9]\d*)\.csv")
_REQUIRED = {"cohort": str, "task": str, "run": dict, "folds": list, "warnings": list, "notes": list}


def predict_dir(run_dir: Path, cohort: str) -> Path:
    """`RUN_DIR/predict/NAME`."""
    return run_dir / "predict" / cohort


def fold_predictions(folder: Path) -> dict[int, Path]:
    """{fold: predictions_fold{k}.csv} of those that are there, in numerical order."""
    matches = {path: _PREDICTIONS.fullmatch(path.name) for path in folder.iterdir()}
    return dict(sorted((int(match.group(1)), path) for path, match in matches.items() if match))


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write `predict.json`, atomically."""
    write_json(folder / RECORD, versioned(record))


def read_record(folder: Path) -> dict[str, Any]:
    """Read `predict.json`.

    Raises:
        UserError: it is missing, damaged, or lacks what `main.py --stage predict` writes.
    """
    path = folder / RECORD
    record = read_json_object(path, advice=ADVICE)
    check_version(record, path)
    for name, kind in _REQUIRED.items():
        if not isinstance(record.get(name), kind):
            raise UserError(f"{path}: {name} is {repr(record.get(name))[:60]}, expected {kind.__name__}; {ADVICE}.")
    if not all(isinstance(fold, int) and 0 <= fold < 2**31 for fold in record["folds"]):
        raise UserError(f"{path}: folds is {str(record['folds'])[:60]}, expected integers, 0 or more; {ADVICE}.")
    return record


def stale_folds(folder: Path, record: Mapping[str, Any]) -> list[int]:
    """The folds whose models are other ones than when they predicted the cohort; those that are gone are not known."""
    models, run_dir, stale = record.get("models") or {}, folder.resolve().parent.parent, []
    for k in record["folds"]:
        files = [run_dir / f"fold{k}" / "checkpoint.pt", run_dir / f"fold{k}.safetensors"]
        now = next((digest(path) for path in files if path.exists()), None)
        if now is not None and f"fold{k}" in models and models[f"fold{k}"] != now:
            stale.append(k)
    return stale


def is_cohort(folder: Path) -> bool:
    """Whether a folder is that of a predicted cohort, and not that of a run."""
    return (folder / RECORD).exists()


def remove_evaluation(folder: Path) -> None:
    """Remove what was made from the outcomes of before: metrics, summaries, figures and report."""
    if (folder / "figures").is_dir() and not (folder / "figures").is_symlink():
        shutil.rmtree(folder / "figures")
    for name in _EVALUATION:
        (folder / name).unlink(missing_ok=True)


def holds_predictions(folder: Path) -> bool:
    """Whether a folder holds whole or partial predictions of an earlier call."""
    return any((folder / name).exists() for name in (RECORD, ENSEMBLE, PARTIAL))


def remove_cohort(folder: Path) -> None:
    """Remove what `main.py --stage predict` and `--stage explain` write there, and nothing else that may lie there."""
    if not folder.is_dir():
        return
    remove_evaluation(folder)
    for path in folder.glob("fold*"):
        if path.is_dir() and not path.is_symlink() and re.fullmatch(r"fold\d+", path.name):
            shutil.rmtree(path)
    for path in [*(folder / name for name in (RECORD, ENSEMBLE, PARTIAL)), *fold_predictions(folder).values()]:
        path.unlink(missing_ok=True)
