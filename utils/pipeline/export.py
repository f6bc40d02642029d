"""A model to hand on: `python -m utils.pipeline.export RUN_DIR OUT` writes one folder without names of patients.

`main.py --stage predict --run_dir OUT` applies it to a cohort, `utils.pipeline.load_ensemble` loads it in Python.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from utils.command.arguments import OneLineParser
from utils.command.console import exit_code
from utils.errors import UserError
from utils.files.atomic import write_text
from utils.files.provenance import git_commit, package_versions
from utils.pipeline.ensemble import TrainedFold, load_ensemble
from utils.pipeline.exported import MODEL_RECORD, ExportedFold, write_exported
from utils.pipeline.model_card import CARD, model_card
from utils.runs.run_dir import fold_dir
from utils.runs.run_record import unit_of
from utils.tables.summary import summarise
from utils.training.checkpoint import load_checkpoint

_log = logging.getLogger(__name__)

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
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: give a new folder")
    if out.is_dir() and any(out.iterdir()) and not (overwrite and (out / MODEL_RECORD).exists()):
        raise UserError(
            f"{out} is not empty: give a new folder"
            + (", or --overwrite to replace the model there" if (out / MODEL_RECORD).exists() else "")
        )
    if (run_dir / MODEL_RECORD).exists():
        raise UserError(f"{run_dir} is an exported model already: copy the folder, or name a run")
    ensemble = load_ensemble(run_dir, folds)
    chosen = [fold.index for fold in ensemble.folds]
    record = {name: ensemble.record.get(name) for name in _OF_RUN}
    settings = ensemble.record.get("settings") or {}
    record["settings"] = {name: settings[name] for name in _OPTIONS if name in settings}
    record["unit"] = unit_of(ensemble.record)
    record["cohort"] = {k: v for k, v in (record["cohort"] or {}).items() if int(k.removeprefix("fold")) in chosen}
    record["metrics"] = _metrics(run_dir)
    record["encoder"] = encoder
    record["exported"] = {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": package_versions(),
        "git": git_commit(),
    }
    if overwrite:
        for path in (*out.glob("fold*.safetensors"), out / MODEL_RECORD, out / CARD):
            path.unlink(missing_ok=True)
    try:
        write_text(out / CARD, model_card(record, ensemble))
        write_exported(out, record, {fold.index: _exported(run_dir, fold) for fold in ensemble.folds})
    except OSError as error:
        raise UserError(f"cannot write to {out} ({error.strerror or error}): give a writable folder") from error
    return out


def _exported(run_dir: Path, fold: TrainedFold) -> ExportedFold:
    checkpoint = fold_dir(run_dir, fold.index) / "checkpoint.pt"
    state = load_checkpoint(checkpoint)
    return ExportedFold(
        architecture=state["architecture"],
        weights=state["model"],
        feature_norm=state["feature_norm"],
        epoch=state["epoch"],
        cut_off=fold.cut_off,
        inner_edges=fold.inner_edges,
        trained_on=fold.trained_on,
        chosen_on=fold.chosen_on,
        source=checkpoint,
    )


def _metrics(run_dir: Path) -> Mapping[str, Any] | None:
    """Mean and deviation over the test folds; None where none was tested."""
    if not list(run_dir.glob("fold*/predictions_test.csv")):
        return None
    summary = summarise(run_dir)
    kept = {name: summary[name] for name in ("mean", "std", "n_defined")}
    return kept | {"folds": [row["fold"] for row in summary["folds"]]}


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

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
