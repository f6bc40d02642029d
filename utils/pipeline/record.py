"""What a run leaves beside its folds: its record, the permission to write it, and tables, figures and report."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from datasets.folds.cases import PARTS
from datasets.folds.split_report import count_part
from datasets.folds.splits import Fold, find_folds
from utils.command.settings import RunSettings, as_plain, plain_options
from utils.files.locks import locked_in_turn
from utils.files.provenance import digest, digest_of, git_commit, package_versions
from utils.pipeline.feature_facts import FeatureFacts, facts_of
from utils.pipeline.inputs import FoldInputs
from utils.pipeline.model_options import model_options, takes_anchors
from utils.runs.continuation import ChangedSettingsError
from utils.runs.epoch_log import log_if_whole
from utils.runs.fold_state import is_finished
from utils.runs.predict_dir import is_cohort, read_record, stale_folds
from utils.runs.predictions import read_predictions
from utils.runs.protocol import protocol_of
from utils.runs.run_claim import claim, permit
from utils.runs.run_dir import RECORD, fold_dir
from utils.runs.run_record import read_run
from utils.tables.fold_warnings import fold_warnings
from utils.tables.summary import write_summary
from utils.tables.summary_text import format_summary
from utils.tables.validation import write_validation

logger = logging.getLogger("main")


def run_record(settings: RunSettings, folds: Sequence[FoldInputs], *, threads: int) -> dict[str, Any]:
    """What `run.json` says: all that the numbers of a run depend on; it computes in so many `threads` of the CPU."""
    shared = model_options()
    defaults = {name: shared[name].defaults[settings.model] for name in settings.model_options}
    return {
        "task": settings.task,
        "dataset": settings.dataset,
        "model": settings.model,
        "formulation": settings.model_options.get("formulation", "none"),
        "run_name": settings.run_dir.name,
        "seed": settings.seed,
        "folds": sorted(inputs.fold.index for inputs in folds),
        "folds_of_splits": find_folds(folds[0].fold.path.parent),
        "class_names": None if folds[0].fold.class_names is None else list(folds[0].fold.class_names),
        "warnings": list(dict.fromkeys(warning for inputs in folds for warning in inputs.warnings)),
        "cohort": {f"fold{inputs.fold.index}": count_parts(inputs.fold) for inputs in folds},
        "splits": {inputs.fold.path.name: digest(inputs.fold.path) for inputs in folds},
        "anchors": {f"fold{inputs.fold.index}": inputs.anchors.digest for inputs in folds},
        "features": {
            f"fold{inputs.fold.index}": digest_of({s: inputs.fingerprints[s] for s in inputs.fold.slides()})
            for inputs in folds
        },
        "feature_norm": folds[0].anchors.feature_norm.kind,
        "takes_anchors": takes_anchors(settings.model),
        "anchor_scope": folds[0].anchors.scope,
        "feature_facts": training_facts(folds).to_json(),
        "dim_in": folds[0].dim_in,
        "n_outputs": folds[0].fold.n_outputs,
        "settings": as_plain(settings),
        "model_defaults": plain_options(defaults),
        "protocol": protocol_of(as_plain(settings)),
        "threads": threads,
        "versions": package_versions(),
        "git": git_commit(),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def training_facts(folds: Sequence[FoldInputs]) -> FeatureFacts:
    """Facts about the features that the folds are trained on, to be compared with those of another cohort."""
    slide_ids = sorted({slide_id for inputs in folds for slide_id in inputs.fold.slides("train")})
    return facts_of([folds[0].paths[slide_id] for slide_id in slide_ids], folds[0].known)


def count_parts(fold: Fold) -> dict[str, dict[str, Any]]:
    """Cases, slides and outcomes of each part, for the report."""
    names = fold.class_names or [str(label) for label in range(fold.n_outputs)]
    classes = {name: label for label, name in enumerate(names)} if fold.task == "cls" else {}
    return {part: count_part(fold.part(part), classes) for part in PARTS}


def permitted(settings: RunSettings, record: Mapping[str, Any]) -> RunSettings:
    """The settings with which this run may write to its folder: `--on_change restart` starts a changed run again.

    Raises:
        UserError: for results that are there and that the call does not allow for.
    """
    try:
        permit(settings.run_dir, dict(record), **how_to_claim(settings))
    except ChangedSettingsError as error:
        if settings.on_change != "restart" or settings.stage in ("test", "explain"):
            raise
        anew = replace(settings, resume=False, overwrite=True)
        permit(settings.run_dir, dict(record), **how_to_claim(anew))
        logger.warning("warning: %s is started again, with other settings: %s", settings.run_dir, error.changed)
        return anew
    return settings


def has_finished(settings: RunSettings) -> bool:
    """Whether the only fold of the settings has all that their stage leaves behind, and is kept."""
    (fold,) = settings.folds or ()
    keeps = settings.resume and settings.stage != "explain"
    return keeps and is_finished(fold_dir(settings.run_dir, fold), as_plain(settings))


def how_to_claim(settings: RunSettings) -> dict[str, Any]:
    """The settings that decide what happens to results that are there."""
    return {"stage": settings.stage, "resume": settings.resume, "overwrite": settings.overwrite}


def claim_run(settings: RunSettings, record: Mapping[str, Any]) -> None:
    """Make the folder of the run ready, write its `run.json`, and say what a reader of the results should know.

    Raises:
        UserError: as `permitted` does, and for a folder that cannot be written.
    """
    claim(settings.run_dir, dict(record), **how_to_claim(settings))
    for warning in record["warnings"]:
        logger.warning("warning: %s", warning)


def warn_of(run_dir: Path, fold: int, stage: str) -> None:
    """Say what makes a fold doubtful that was just trained or tested; summary and report repeat it."""
    place = fold_dir(run_dir, fold)
    name, cases = ("val", "validation") if stage == "train" else ("test", "test")
    table, log = read_predictions(place / f"predictions_{name}.csv"), log_if_whole(place / "log.csv")
    for warning in fold_warnings(read_run(run_dir), log, table, cases):
        logger.warning("warning: fold %d: %s", fold, warning)


def write_results(run_dir: Path, stage: str, *, with_figures: bool) -> None:
    """Tables, figures and report of all folds that are there, as far as the stage changed them.

    Of several processes that work on folds of one run, each writes them after its last fold and one after the other, so
    that the last one to do so finds all folds. None removes results meanwhile (`utils.runs.run_claim.claim`).

    Raises:
        UserError: for a file of the run that cannot be read.
    """
    with locked_in_turn(run_dir / RECORD):
        _write_results(run_dir, stage, with_figures=with_figures)


def _write_results(run_dir: Path, stage: str, *, with_figures: bool) -> None:
    written, summary = [], None
    if stage in ("all", "test"):
        summary = write_summary(run_dir)
        logger.info("\n%s", format_summary(summary))
    if stage != "explain" and with_figures:
        from utils.figures.run_figures import write_figures  # matplotlib: only where figures are drawn

        written += write_figures(run_dir)
    if stage != "train" and with_figures:
        from utils.report.run_page import write_run_report

        written.append(write_run_report(run_dir, summary))
    if stage in ("all", "train"):
        written += _refreshed_cohorts(run_dir, with_report=with_figures)
    for path in written:
        logger.info("wrote %s", path)


def _refreshed_cohorts(run_dir: Path, *, with_report: bool) -> Iterator[Path]:
    """Tables and reports of other cohorts whose folds were trained again, which say so from now on."""
    for folder in sorted((run_dir / "predict").glob("*")):
        if (folder / "summary.json").exists() and is_cohort(folder) and stale_folds(folder, read_record(folder)):
            summary = write_validation(folder)
            yield folder / "summary.md"
            if with_report:
                from utils.report.validation_page import write_validation_report

                yield write_validation_report(folder, summary)
