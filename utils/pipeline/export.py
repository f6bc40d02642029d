"""A model to hand on: `python -m utils.pipeline.export RUN_DIR OUT` writes one folder without names of patients.

`main.py --stage predict --run_dir OUT` applies it to a cohort, `utils.pipeline.load_ensemble` loads it in Python.
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m utils.pipeline.export")

import argparse
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from utils.command.arguments import OneLineParser
from utils.errors import UserError, advice, said
from utils.files.atomic import write_text
from utils.files.locks import locked
from utils.files.provenance import git_commit, package_versions
from utils.machine.process import exit_code
from utils.pipeline.ensemble import Ensemble, TrainedFold, load_ensemble
from utils.pipeline.exported import MODEL_RECORD, TRAINED_ON, ExportedFold, write_exported
from utils.pipeline.model_card import CARD, model_card
from utils.runs.run_dir import fold_dir
from utils.runs.run_record import unit_of
from utils.runs.tasks import TASKS
from utils.tables.averages import cases_of_means, over_folds
from utils.tables.summary import summarise
from utils.training.checkpoint import load_checkpoint

_log = logging.getLogger(__name__)
_WEIGHTS = re.compile(r"fold\d+\.safetensors").fullmatch

# What of `run.json` is passed on: no path, and no name of a slide or a patient.
_OF_RUN = (
    "task",
    "dataset",
    "model",
    "formulation",
    "run_name",
    "seed",
    "dim_in",
    "n_outputs",
    "class_names",
    "anchor_scope",
    "feature_facts",
    "feature_norm",
    "cohort",
    "protocol",
    "started",
    "git",
    "versions",
)
# Options of the run that matter to whoever applies or judges it.
_OPTIONS = (
    "unit",
    "batch_size",
    "precision",
    "monitor",
    "tie_rule",
    "epochs",
    "lr",
    "ablate",
    "n_clusters",
    "optimizer",
)


def export_run(run_dir: Path, out: Path, *, folds: Sequence[int] | None, encoder: str, overwrite: bool) -> Path:
    """Write the folds of a run as one folder: weights, `model.json`, `trained_on.json` and `MODEL_CARD.md`.

    Args:
        run_dir: the run; its folds must be trained to their end.
        out: the folder.
        folds: their numbers; None takes all.
        encoder: a note on the encoder of the features, for readers of the card.
        overwrite: replace an exported model that is there.

    Returns:
        `out`.

    Raises:
        UserError: for a run that cannot be read, a folder that holds something, or one that cannot be written.
    """
    _check_free(out, overwrite=overwrite)
    if (run_dir / MODEL_RECORD).exists():
        raise UserError(f"{run_dir} is an exported model already: copy the folder, or name a run")
    ensemble = load_ensemble(run_dir, folds)
    exported = {fold.index: _exported(run_dir, fold) for fold in ensemble.folds}
    record = _record(run_dir, ensemble, encoder)
    try:
        with locked(out / MODEL_RECORD):
            _check_free(out, overwrite=overwrite)  # nobody wrote there meanwhile
            for path in _own_files(out):
                path.unlink()
            write_exported(out, record, exported)
            write_text(out / CARD, model_card(record, ensemble))
    except OSError as error:
        raise UserError(f"cannot write to {out} ({said(error)}): {advice(error)}") from error
    return out


def _own_files(out: Path) -> list[Path]:
    """What an export, whole or interrupted, has left in a folder."""
    if not out.is_dir():
        return []
    return [path for path in out.iterdir() if path.name in (MODEL_RECORD, TRAINED_ON, CARD) or _WEIGHTS(path.name)]


def _check_free(out: Path, *, overwrite: bool) -> None:
    """The folder is new, empty, or holds nothing but an export that may be replaced (and its own predictions)."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: give a new folder")
    own = _own_files(out)
    there = [path for path in out.iterdir() if not path.name.startswith(".")] if out.is_dir() else []
    others = [path.name for path in there if path not in own and path.name != "predict"]
    if others or (own and not overwrite):
        more = "" if others else ", or --overwrite to replace the model there"
        raise UserError(f"{out} is not empty: give a new folder{more}")


def _record(run_dir: Path, ensemble: Ensemble, encoder: str) -> dict[str, Any]:
    """The content of `model.json`, but for the folds."""
    chosen = [fold.index for fold in ensemble.folds]
    record = {name: ensemble.record.get(name) for name in _OF_RUN}
    settings = ensemble.record.get("settings") or {}
    record["settings"] = {name: settings[name] for name in _OPTIONS if name in settings}
    record["unit"] = unit_of(ensemble.record)
    record["cohort"] = {k: v for k, v in (record["cohort"] or {}).items() if int(k.removeprefix("fold")) in chosen}
    record["metrics"] = _metrics(run_dir, chosen)
    record["encoder"] = encoder
    record["exported"] = {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": package_versions(),
        "git": git_commit(),
    }
    return record


def _exported(run_dir: Path, fold: TrainedFold) -> ExportedFold:
    checkpoint = fold_dir(run_dir, fold.index) / "checkpoint.pt"
    state = load_checkpoint(checkpoint)
    return ExportedFold(
        architecture=state["architecture"],
        weights=state["model"],
        feature_norm=state["feature_norm"],
        epoch=state["epoch"],
        cut_off=fold.cut_off,
        threshold=fold.threshold,
        inner_edges=fold.inner_edges,
        trained_on=fold.trained_on,
        chosen_on=fold.chosen_on,
        source=checkpoint,
    )


def _metrics(run_dir: Path, folds: Sequence[int]) -> Mapping[str, Any] | None:
    """Means over the test parts of the exported folds, with their cases; None where none was tested."""
    if not list(run_dir.glob("fold*/predictions_test.csv")):
        return None
    summary = summarise(run_dir)
    rows = [row for row in summary["folds"] if row["fold"] in folds]
    if not rows:
        return None
    metrics = TASKS[summary["task"]].metrics
    averages = {**over_folds(rows, metrics), **cases_of_means(rows, metrics)}
    return {**averages, "folds": [row["fold"] for row in rows], "unit": summary["unit"]}


def get_args_parser() -> argparse.ArgumentParser:
    """The command line of `python -m utils.pipeline.export`."""
    description = "Write the folds of a run as one folder that can be passed on, without names of patients or slides."
    parser = OneLineParser("python -m utils.pipeline.export", description)
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="RESULTS/TASK/DATASET/RUN_NAME")
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder")
    parser.add_argument("--folds", type=int, nargs="+", help="folds to export; default: all of the run")
    parser.add_argument("--encoder", default="", help="a note for the card: the encoder of the features")
    parser.add_argument("--overwrite", action="store_true", help="replace the model that is in OUT")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 2 after one sentence on standard error."""
    args = get_args_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)

    def work() -> None:
        out = export_run(args.run_dir, args.out, folds=args.folds, encoder=args.encoder, overwrite=args.overwrite)
        _log.info("wrote %s and %s to %s", MODEL_RECORD, CARD, out)

    return exit_code(work, "python -m utils.pipeline.export")


if __name__ == "__main__":
    sys.exit(main())
