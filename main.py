"""Command: features + splits + anchors -> trained folds, predictions, tables.

`python main.py --task surv --dataset BLCA --features_dir DIR --splits_dir splits/4foldcv/tcga_blca --anchors FILE`

The islands meet here: `datasets` reads folds and bags, `models` maps them to logits, `utils` trains, measures and
writes. `run` checks everything that can be checked before the first epoch, then runs fold after fold.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from datasets.bags import BagDataset, Batch, outcomes_of
from datasets.batches import BatchReader, EvaluationBatches, TrainingBatches
from datasets.errors import DataError
from datasets.folds.cases import PARTS, Case
from datasets.folds.split_report import count_part
from datasets.folds.splits import Fold, find_folds, keep_available, read_fold
from datasets.slides.features import SlideFeatures, check_widths, find_slides, read_slide
from datasets.slides.fingerprint import fingerprint
from datasets.slides.patch_geometry import patch_geometry
from datasets.slides.slide_cache import SlideCache
from models import GRAPH_MODELS, MODELS, MiCo, build_model
from models.inspection.nearest_anchor import NearestAnchors, nearest_anchors
from models.inspection.reducer_mixing import observe_mixing
from models.losses import hazards, nll_survival, risk
from models.objective import training_objective
from models.output import BagOutput
from utils.anchors.feature_norm import FeatureNorm, fit_zscore
from utils.anchors.fold_anchors import RANDOM, FoldAnchors, load_fold_anchors
from utils.command.arguments import build_parser, resolve
from utils.command.console import log_to_terminal
from utils.command.settings import RunSettings, as_plain
from utils.errors import UserError
from utils.explain.anchor_colours import similar_colours
from utils.explain.anchor_explanation import write_anchor_explanation
from utils.explain.anchor_shares import AnchorShares
from utils.explain.chosen_cases import ChosenCase, choose_by_certainty, choose_slides, write_cases
from utils.explain.slide_explanation import SlideExplanation, write_slide_explanation
from utils.explain.slide_image import require_slide_reader
from utils.figures.run_figures import write_figures
from utils.files.atomic import write_json
from utils.files.provenance import digest, digest_of, git_commit, package_versions
from utils.machine.allocator import keep_freed_memory
from utils.machine.device import resolve_device, resolve_precision
from utils.machine.free_memory import free_memory
from utils.machine.seed import derive_seed, seed_everything
from utils.machine.stopwatch import Stopwatch, in_words
from utils.machine.threads import map_in_threads
from utils.report.run_page import write_run_report
from utils.runs.predictions import classification_table, read_predictions, survival_table, write_predictions
from utils.runs.run_dir import ChangedSettingsError, claim, fold_dir, permit
from utils.runs.training_outcomes import read_training_outcomes, write_training_outcomes
from utils.tables.summary import fold_metrics, write_summary
from utils.tables.summary_text import format_summary
from utils.training.checkpoint import load_checkpoint
from utils.training.engine import Runner, evaluate, predict
from utils.training.optim import build_optimizer
from utils.training.tensorboard_log import TensorBoardLog, require_tensorboard, write_whole_log
from utils.training.training import Schedule, train

logger = logging.getLogger("main")

PREDICTED = ("metrics.json", "predictions_val.csv", "predictions_test.csv")
FINISHED = {"cls": PREDICTED, "surv": (*PREDICTED, "outcomes_train.csv")}
READING_THREADS = 4
EXPLAINED_CASES = 3  # most certain, and as many least certain, of each fold
CACHE_SHARE = 0.5  # of the free memory: the rest is for the model, batches under way and the files of the page cache
SELECTION = {"cls": "val_f1", "surv": "val_loss"}
LOGGED = {"cls": ("acc", "f1", "auc"), "surv": ("c_index",)}


SlideReader = Callable[[Path], SlideFeatures]


@dataclass(frozen=True)
class FoldInputs:
    """All that a fold needs from disk, checked.

    Attributes:
        fold: its cases.
        paths: the feature file of each slide.
        fingerprints: of the features of each slide.
        dim_in: D, the width of the features.
        anchors: its anchors, and the scale of the features that goes with them.
        read: reads a feature file, or takes it from memory.
    """

    fold: Fold
    paths: Mapping[str, Path]
    fingerprints: Mapping[str, str]
    dim_in: int
    anchors: FoldAnchors
    read: SlideReader

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the results should know."""
        return (*self.fold.warnings, *self.anchors.warnings)


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    return build_parser(
        RunSettings, "main.py", "Train and test a multiple-instance model over the folds of a data set."
    )


def main(args: argparse.Namespace) -> int:
    """Run the command and return its exit status: 0, 2 for a mistake that the user can mend, 130 for Ctrl-C."""
    log_to_terminal()
    keep_freed_memory()
    try:
        run(resolve(RunSettings, args))
    except (UserError, DataError) as error:
        sys.stderr.write(f"main.py: error: {error}\n")
        return 2
    except KeyboardInterrupt:
        how = "begins it again" if args.stage == "explain" else "with --resume goes on after the last whole epoch"
        sys.stderr.write(f"main.py: interrupted; the same command {how}\n")
        return 130
    return 0


def run(settings: RunSettings) -> None:
    """Check everything, run each fold, and write the tables and figures of all folds that are there."""
    if settings.model not in MODELS:
        raise UserError(f"got --model {settings.model}, expected one of {', '.join(MODELS)}")
    if settings.tensorboard:
        require_tensorboard()
    device = resolve_device(settings.device)
    settings = replace(settings, device=str(device), precision=resolve_precision(settings.precision, device))
    cache = slide_cache(settings)
    folds = load_inputs(settings, read_slide if cache is None else cache.read)
    new_model(settings, folds[0])  # an impossible combination of options stops here
    record = run_record(settings, folds)
    settings = permitted(settings, record)
    if settings.stage == "explain":
        check_what_is_explained(settings, folds)
    else:
        check_values(settings, folds)
    if cache is not None:
        logger.info(cache.describe())
    claim(settings.run_dir, record, **how_to_claim(settings))
    for warning in dict.fromkeys(w for inputs in folds for w in inputs.warnings):
        logger.warning("warning: %s", warning)
    for inputs in folds:
        if settings.stage == "explain":
            explain_fold(settings, inputs, device)
        else:
            run_fold(settings, inputs, device)
    write_results(settings)


def write_results(settings: RunSettings) -> None:
    """Tables, figures and report of all folds that are there, as far as the stage changed them."""
    run_dir, written = settings.run_dir, []
    if settings.stage in ("all", "test"):
        logger.info("\n%s", format_summary(write_summary(run_dir)))
    if settings.stage != "explain" and not settings.no_figures:
        written += write_figures(run_dir)
    if settings.stage != "train" and not settings.no_figures:
        written.append(write_run_report(run_dir))
    for path in written:
        logger.info("wrote %s", path)


def slide_cache(settings: RunSettings) -> SlideCache | None:
    """The memory that all folds share, where it is asked for."""
    if settings.cache == "none":
        return None
    return SlideCache(int(CACHE_SHARE * free_memory() if settings.cache_gb is None else settings.cache_gb * 1e9))


def load_inputs(settings: RunSettings, read: SlideReader) -> list[FoldInputs]:
    """Read and check the folds, the headers of the feature files, and the anchors."""
    found = find_slides(settings.features_dir)
    folds = []
    for number in settings.folds or find_folds(settings.splits_dir):
        fold = read_fold(
            settings.splits_dir / f"fold{number}.csv",
            settings.task,
            n_bins=settings.n_bins,
            allow_patient_overlap=settings.allow_patient_overlap,
        )
        folds.append(keep_available(fold, found, settings.on_missing)[0])
    if len({fold.n_outputs for fold in folds}) > 1:
        classes = ", ".join(f"{fold.n_outputs} in fold {fold.index}" for fold in folds)
        raise UserError(f"the folds differ in their number of classes ({classes}): expected the same in all")
    paths = {slide_id: found[slide_id] for slide_id in sorted({s for fold in folds for s in fold.slides()})}
    dim_in = check_widths(paths)
    prints = dict(zip(paths, map_in_threads(fingerprint, paths.values(), READING_THREADS), strict=True))
    anchors = [anchors_of(settings, fold, paths, prints, dim_in, read) for fold in folds]
    return [FoldInputs(fold, paths, prints, dim_in, own, read) for fold, own in zip(folds, anchors, strict=True)]


def permitted(settings: RunSettings, record: Mapping[str, Any]) -> RunSettings:
    """The settings with which this run may write to its folder: `--on_change restart` begins a changed run again."""
    try:
        permit(settings.run_dir, dict(record), **how_to_claim(settings))
    except ChangedSettingsError as error:
        if settings.on_change != "restart" or settings.stage in ("test", "explain"):
            raise
        logger.warning("warning: %s is begun again, with other settings: %s", settings.run_dir, error.changed)
        return replace(settings, resume=False, overwrite=True)
    return settings


def how_to_claim(settings: RunSettings) -> dict[str, Any]:
    """What of the settings decides over results that are there."""
    return {"stage": settings.stage, "resume": settings.resume, "overwrite": settings.overwrite}


def is_finished(settings: RunSettings, fold: int) -> bool:
    """Whether a resumed run has nothing left to do for this fold."""
    return settings.resume and all(
        (fold_dir(settings.run_dir, fold) / name).exists() for name in FINISHED[settings.task]
    )


def check_values(settings: RunSettings, folds: Sequence[FoldInputs]) -> None:
    """Read every slide of the folds to do once: NaN in a test slide should not come to light after the training."""
    to_do = [inputs.fold for inputs in folds if not is_finished(settings, inputs.fold.index)]
    paths = {slide_id: folds[0].paths[slide_id] for fold in to_do for slide_id in fold.slides()}
    slides = map_in_threads(folds[0].read, paths.values(), workers=READING_THREADS)
    needs_coords = settings.model in GRAPH_MODELS and settings.graph == "coords"
    without: list[str] = []
    for slide in tqdm(slides, "checking features", len(paths), leave=False, disable=None, unit="slide"):
        if needs_coords and slide.coords is None:
            without.append(slide.slide_id)
    if without:
        raise UserError(
            f"{settings.model} needs the coordinates of patches, which {len(without)} of {len(paths)} slides have not "
            f"({', '.join(without[:3])}): give feature files with coords, or --graph features"
        )


def anchors_of(
    settings: RunSettings,
    fold: Fold,
    paths: Mapping[str, Path],
    fingerprints: Mapping[str, str],
    dim_in: int,
    read: SlideReader,
) -> FoldAnchors:
    """The anchors of a fold. With random ones, a `zscore` scale is that of the training slides."""
    if settings.anchors != RANDOM:
        slides = {part: fold.slides(part) for part in PARTS}
        n_clusters = settings.n_clusters if settings.model == "mico" else None  # of which no other model has any
        loaded = load_fold_anchors(
            settings.anchors, fold.index, slides, fingerprints, n_clusters=n_clusters, dim_in=dim_in
        )
        # A model without anchors takes their scale of features, to be compared with MiCo on equal terms.
        return loaded if settings.model == "mico" else replace(loaded, dataset=None, read_slide=None)
    if settings.feature_norm != "zscore":
        return FoldAnchors(FeatureNorm(settings.feature_norm or "none"))
    return FoldAnchors(fit_zscore(read(paths[slide_id]).features for slide_id in fold.slides("train")))


def run_record(settings: RunSettings, folds: Sequence[FoldInputs]) -> dict[str, Any]:
    """What `run.json` says."""
    names = {"task": settings.task, "dataset": settings.dataset, "model": settings.model}
    return {
        **names,
        "formulation": settings.formulation if settings.model == "mico" else "none",
        "run_name": settings.run_dir.name,
        "seed": settings.seed,
        "folds": sorted(inputs.fold.index for inputs in folds),
        "warnings": list(dict.fromkeys(warning for inputs in folds for warning in inputs.warnings)),
        "cohort": {f"fold{inputs.fold.index}": count_parts(inputs.fold) for inputs in folds},
        "splits": {inputs.fold.path.name: digest(inputs.fold.path) for inputs in folds},
        "anchors": {f"fold{inputs.fold.index}": inputs.anchors.digest for inputs in folds},
        "features": {
            f"fold{inputs.fold.index}": digest_of({s: inputs.fingerprints[s] for s in inputs.fold.slides()})
            for inputs in folds
        },
        "feature_norm": folds[0].anchors.feature_norm.kind,
        "dim_in": folds[0].dim_in,
        "n_outputs": folds[0].fold.n_outputs,
        "settings": as_plain(settings),
        "versions": package_versions(),
        "git": git_commit(),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def count_parts(fold: Fold) -> dict[str, dict[str, Any]]:
    """Cases, slides and outcomes of each part, for the report."""
    classes = {str(label): label for label in range(fold.n_outputs)} if fold.task == "cls" else {}
    return {part: count_part(fold.part(part), classes) for part in PARTS}


def run_fold(settings: RunSettings, inputs: FoldInputs, device: torch.device) -> None:
    """Train a fold and predict its validation cases; then open its test cases, once."""
    place = fold_dir(settings.run_dir, inputs.fold.index)
    if is_finished(settings, inputs.fold.index):
        logger.info("fold %d is finished", inputs.fold.index)
        if settings.tensorboard:
            write_whole_log(place / "log.csv", place / "tensorboard")
        return
    stopwatch = Stopwatch(device if settings.profile else None)
    if settings.stage != "test":
        model = new_model(settings, inputs).to(device)
        train_fold(settings, inputs, new_runner(settings, model, inputs.anchors.feature_norm, stopwatch), place)
    model, norm, epoch = load_model(place / "checkpoint.pt")
    runner = new_runner(settings, model.to(device), norm, stopwatch)
    metrics: dict[str, Any] = {"fold": inputs.fold.index, "best_epoch": epoch}
    outcomes = training_outcomes(inputs, place / "outcomes_train.csv") if settings.task == "surv" else None
    for part in ("val",) if settings.stage == "train" else ("val", "test"):
        path = place / f"predictions_{part}.csv"
        write_predictions(path, predict_part(settings, inputs, runner, part))
        metrics[part] = fold_metrics(read_predictions(path), seed=settings.seed, outcomes=outcomes)
    if "test" in metrics:
        write_json(place / "metrics.json", metrics)
    if settings.profile:
        split = stopwatch.split()
        write_json(place / "profile.json", split)
        logger.info("profile of fold %d: %s", inputs.fold.index, in_words(split))


def new_runner(settings: RunSettings, model: nn.Module, norm: FeatureNorm, stopwatch: Stopwatch) -> Runner:
    """A model with the way that batches take to it."""
    if isinstance(model, MiCo):
        model.recompute_above = settings.recompute_above
    device = torch.device(settings.device)
    return Runner(model, device, settings.precision, norm, in_blocks=isinstance(model, MiCo), stopwatch=stopwatch)


def training_outcomes(inputs: FoldInputs, path: Path) -> pd.DataFrame:
    """Write what the metrics that correct for censoring need of the training cases, and read it back."""
    known = {name: value.numpy() for name, value in outcomes_of(inputs.fold.train).items()}
    case_ids = [case.case_id for case in inputs.fold.train]
    write_training_outcomes(path, case_ids=case_ids, time=known["time"], event=1 - known["censored"], bin=known["bin"])
    return read_training_outcomes(path)


def train_fold(settings: RunSettings, inputs: FoldInputs, runner: Runner, place: Path) -> None:
    """Train to the best checkpoint."""
    fold = inputs.fold
    loss = loss_of(settings)
    reader = batch_reader(settings, runner.device)
    training = TrainingBatches(
        bags(inputs, "train", max_patches=settings.max_patches),
        batch_size=settings.batch_size,
        weighted=settings.weighted_sampling,
        seed_of_epoch=lambda epoch: derive_seed(settings.seed, "order", fold.index, epoch),
        reader=reader,
    )
    validation = EvaluationBatches(bags(inputs, "val"), batch_size=settings.batch_size, reader=reader)
    targets, logged = outcomes_of(fold.val), LOGGED[settings.task]

    def measure(logits: Tensor) -> dict[str, float | None]:
        table = prediction_table(settings.task, fold.val, logits)
        measured = fold_metrics(table, seed=settings.seed, n_resamples=0)
        return {"val_loss": loss(logits, targets).item(), **{f"val_{name}": measured[name] for name in logged}}

    optimizer = build_optimizer(settings.optimizer, runner.model, lr=settings.lr, weight_decay=settings.weight_decay)
    schedule = Schedule(
        epochs=settings.epochs,
        patience=settings.patience,
        grad_accum=settings.grad_accum,
        score=SELECTION[settings.task],
        seed=settings.seed,
        fold=fold.index,
    )
    about = {"architecture": architecture(settings, inputs), "feature_norm": inputs.anchors.feature_norm.to_json()}

    def objective(out: BagOutput, target: Mapping[str, Tensor]) -> Tensor:
        return training_objective(out, target, loss, instance_weight=settings.instance_weight)

    with closing(TensorBoardLog(place / "tensorboard")) if settings.tensorboard else nullcontext() as on_epoch:
        parts = runner, training, validation, objective, measure, optimizer, schedule, place
        train(*parts, checkpoint=about, on_epoch=on_epoch)


def bags(inputs: FoldInputs, part: str, *, max_patches: int | None = None) -> BagDataset:
    """The cases of one part as bags."""
    cases = inputs.fold.part(part)
    return BagDataset(
        cases, inputs.paths, read_anchors=inputs.anchors.read_slide, max_patches=max_patches, read=inputs.read
    )


def batch_reader(settings: RunSettings, device: torch.device) -> BatchReader:
    """Reads in threads beside the computation: reading lets go of Python's lock, so no processes are needed."""
    threads = partial(map_in_threads, workers=settings.num_workers) if settings.num_workers else map
    return BatchReader(threads, pin_memory=device.type == "cuda")


def architecture(settings: RunSettings, inputs: FoldInputs) -> dict[str, Any]:
    """The arguments of `build_model`; in a checkpoint they say how to build the model that its weights belong to."""
    return {
        "name": settings.model,
        "dim_in": inputs.dim_in,
        "n_outputs": inputs.fold.n_outputs,
        "formulation": settings.formulation,
        "n_anchors": settings.n_clusters,
        "embed_dim": settings.embed_dim,
        "n_stages": settings.n_stages,
        "dropout": settings.dropout,
        "similarity": settings.similarity,
        "assignment": settings.assignment,
        "ablate": list(settings.ablate or ()),
        "graph": settings.graph,
    }


def new_model(settings: RunSettings, inputs: FoldInputs) -> nn.Module:
    """A model with the initial parameters of this fold: a function of seed and fold."""
    if "anchors" in (settings.ablate or ()) and inputs.anchors.read_slide is not None:
        raise UserError(
            "got --ablate anchors with slide anchors, which are not learned: give data-set anchors or random"
        )
    seed_everything(derive_seed(settings.seed, "model", inputs.fold.index))
    try:
        model = build_model(**architecture(settings, inputs))
    except ValueError as error:
        raise UserError(f"the model cannot be built: {error}") from error
    if isinstance(model, MiCo) and inputs.anchors.dataset is not None and "anchors" not in model.ablate:
        model.initialise_anchors(inputs.anchors.dataset)
    return model


def load_model(checkpoint: Path) -> tuple[nn.Module, FeatureNorm, int]:
    """The model of a `checkpoint.pt` in evaluation mode, the scale that its features need, and its epoch."""
    state = load_checkpoint(checkpoint)
    model = build_model(**state["architecture"])
    model.load_state_dict(state["model"])
    return model.eval(), FeatureNorm.from_json(state["feature_norm"]), state["epoch"]


def loss_of(settings: RunSettings) -> Callable[[Tensor, Mapping[str, Tensor]], Tensor]:
    """The loss of the task, a mean over the rows of the logits, in float32."""

    def cross_entropy(logits: Tensor, target: Mapping[str, Tensor]) -> Tensor:
        return F.cross_entropy(logits.float(), target["label"])

    def survival(logits: Tensor, target: Mapping[str, Tensor]) -> Tensor:
        return nll_survival(logits, target["bin"], target["censored"], alpha=settings.alpha_surv)

    return cross_entropy if settings.task == "cls" else survival


def predict_part(settings: RunSettings, inputs: FoldInputs, runner: Runner, part: str) -> pd.DataFrame:
    """Predictions of one part, a row per case."""
    reader = batch_reader(settings, runner.device)
    batches = EvaluationBatches(bags(inputs, part), batch_size=settings.batch_size, reader=reader)
    label = f"fold {inputs.fold.index} {part}"
    logits = predict(runner, batches, n_batches=len(batches), label=label)
    return prediction_table(settings.task, inputs.fold.part(part), logits)


def check_what_is_explained(settings: RunSettings, folds: Sequence[FoldInputs]) -> None:
    """Every slide to explain is a test slide of a fold, whose model has not seen it, and images can be opened."""
    if settings.slides_dir is not None:
        require_slide_reader()
        if not settings.slides_dir.is_dir():
            raise UserError(f"got --slides_dir {settings.slides_dir}, expected a directory of slide images")
    tested = {slide_id for inputs in folds for slide_id in inputs.fold.slides("test")}
    unknown = [slide_id for slide_id in settings.explain_slides or () if slide_id not in tested]
    if unknown:
        raise UserError(
            f"got --explain_slides {unknown[0]}, which none of the folds tests ({len(unknown)} such slides in all): "
            f"expected test slides of fold {', '.join(str(inputs.fold.index) for inputs in folds)}"
        )


def explain_fold(settings: RunSettings, inputs: FoldInputs, device: torch.device) -> None:
    """Explain the chosen test cases of a fold, and its anchors by all of its test cases."""
    fold, place = inputs.fold.index, fold_dir(settings.run_dir, inputs.fold.index)
    predictions = read_predictions(place / "predictions_test.csv")
    case_ids = dict(zip(predictions["slide_ids"], predictions["case_id"], strict=True))
    chosen = chosen_cases(settings, predictions)
    wanted = {slide_id for case in chosen for slide_id in case.slide_ids}
    model, norm, _ = load_model(place / "checkpoint.pt")
    runner = new_runner(settings, model.to(device), norm, Stopwatch())
    batches = EvaluationBatches(bags(inputs, "test"), batch_size=1, reader=batch_reader(settings, device))
    shares = AnchorShares(model.n_anchors) if isinstance(model, MiCo) and inputs.anchors.read_slide is None else None
    with observe_mixing(model) if isinstance(model, MiCo) else nullcontext() as mixing:
        for batch, out in evaluate(runner, batches, n_batches=len(batches), label=f"explaining fold {fold}"):
            case_id = case_ids[";".join(batch.slide_ids)]
            nearest = nearest_of(runner, batch)
            if shares is not None and nearest is not None:
                shares.add(case_id, batch.slide_ids, as_array(out.attention), as_array(nearest.anchor))
            for slide in slide_explanations(settings, case_id, batch, out, nearest, wanted):
                folder = place / "explain" / slide.slide_id
                for note in write_slide_explanation(
                    folder, slide, geojson=settings.geojson, slides_dir=settings.slides_dir
                ):
                    logger.info("%s: %s", slide.slide_id, note)
    write_cases(place / "explain" / "cases.csv", chosen, predictions)
    if shares is not None and mixing is not None:
        title = f"{settings.dataset}: {settings.run_dir.name}, fold {fold}"
        write_anchor_explanation(place / "explain", shares.table(), predictions, mixing.record(), title)
    elif isinstance(model, MiCo):
        logger.info("no table of anchors for fold %d, since each slide has anchors of its own", fold)
    logger.info("explained %d case%s of fold %d in %s", len(chosen), "s" * (len(chosen) != 1), fold, place / "explain")


def nearest_of(runner: Runner, batch: Batch) -> NearestAnchors | None:
    """The nearest anchor of each patch of a batch in feature space; None for a model without anchors."""
    if not isinstance(runner.model, MiCo):
        return None
    anchors = runner.model.cluster_centers if batch.anchors is None else batch.anchors
    return nearest_anchors(batch.features, batch.slide_index, anchors, scale=runner.feature_norm)


def slide_explanations(
    settings: RunSettings,
    case_id: str,
    batch: Batch,
    out: BagOutput,
    nearest: NearestAnchors | None,
    wanted: Collection[str],
) -> Iterator[SlideExplanation]:
    """What a model made of the slides of a case, those that are wanted."""
    stop = 0
    for index, slide in enumerate(batch.slides()):
        start, stop = stop, stop + len(slide.features)
        if slide.slide_id not in wanted:
            continue
        rows, geometry = slice(start, stop), patch_geometry(slide)
        yield SlideExplanation(
            slide_id=slide.slide_id,
            case_id=case_id,
            attention=as_array(out.attention[rows]),
            nearest=None if nearest is None else as_array(nearest.anchor[rows]),
            distance=None if nearest is None else as_array(nearest.distance[rows]),
            colours=None if nearest is None else similar_colours(as_array(nearest.anchors_of(index))),
            anchors=None if out.stage_assignment is None else as_array(out.stage_assignment[rows]),
            coords=None if slide.coords is None else as_array(slide.coords),
            patch_size=geometry.size,
            patch_size_source=geometry.source,
            mpp=settings.mpp or geometry.mpp,
            mpp_source="--mpp" if settings.mpp else geometry.mpp_source,
        )


def as_array(values: Tensor) -> np.ndarray:
    """Outputs of a model on the CPU."""
    return values.detach().cpu().numpy()


def chosen_cases(settings: RunSettings, predictions: pd.DataFrame) -> list[ChosenCase]:
    """The test cases of a fold to explain."""
    if settings.explain_slides is None:
        return choose_by_certainty(
            predictions, EXPLAINED_CASES if settings.explain_cases is None else settings.explain_cases
        )
    by_certainty = choose_by_certainty(predictions, settings.explain_cases or 0)
    return by_certainty + choose_slides(predictions, settings.explain_slides)


def prediction_table(task: str, cases: Sequence[Case], logits: Tensor) -> pd.DataFrame:
    """Cases and their logits (n, C) as the rows of a prediction file."""
    case_ids, slide_ids = [case.case_id for case in cases], [case.slide_ids for case in cases]
    known, wide = {name: value.numpy() for name, value in outcomes_of(cases).items()}, logits.double()
    if task == "cls":
        return classification_table(case_ids, slide_ids, known["label"], torch.softmax(wide, dim=1).numpy())
    return survival_table(
        case_ids,
        slide_ids,
        time=known["time"],
        event=1 - known["censored"],
        bin=known["bin"],
        risk=risk(wide).numpy(),
        hazard=hazards(wide).numpy(),
    )


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
