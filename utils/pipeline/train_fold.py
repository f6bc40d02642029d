"""One fold: train it to its best checkpoint, predict its validation cases, then open its test cases, once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from datasets.bags import outcomes_of
from datasets.batches import EvaluationBatches, TrainingBatches
from models.objective import training_objective
from models.output import BagOutput
from utils.command.settings import RunSettings
from utils.files.atomic import write_json
from utils.files.format_version import versioned
from utils.machine.seed import derive_seed
from utils.machine.stopwatch import Stopwatch, in_words
from utils.pipeline.inputs import FoldInputs, bags, batch_reader
from utils.pipeline.models import load_model, loss_of, new_model
from utils.pipeline.prediction_table import prediction_table
from utils.pipeline.validation import validation_scores
from utils.runs.predictions import read_predictions, write_predictions
from utils.runs.time_left import folds_to_come
from utils.runs.training_outcomes import read_training_outcomes, write_training_outcomes
from utils.tables.fold_calibration import with_calibration
from utils.tables.summary import fold_metrics
from utils.training.engine import Runner, predict
from utils.training.optim import build_optimizer
from utils.training.schedule import Schedule
from utils.training.tensorboard_log import TensorBoardLog, write_whole_log
from utils.training.training import train

logger = logging.getLogger("main")


@dataclass(frozen=True)
class TrainingProtocol:
    """How every fold of a run is trained; each attribute is the option of `main.py` of this name."""

    task: str
    seed: int
    epochs: int
    patience: int
    monitor: str
    tie_rule: str
    lr: float
    weight_decay: float
    optimizer: str
    batch_size: int
    grad_accum: int
    max_patches: int | None
    weighted_sampling: bool
    alpha_surv: float

    @classmethod
    def of(cls, settings: RunSettings) -> TrainingProtocol:
        """The protocol that the settings ask for."""
        return cls(
            task=settings.task,
            seed=settings.seed,
            epochs=settings.epochs,
            patience=settings.patience,
            monitor=settings.monitor,
            tie_rule=settings.tie_rule,
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            optimizer=settings.optimizer,
            batch_size=settings.batch_size,
            grad_accum=settings.grad_accum,
            max_patches=settings.max_patches,
            weighted_sampling=settings.weighted_sampling,
            alpha_surv=settings.alpha_surv,
        )


@dataclass(frozen=True)
class Computation:
    """Where and how a run computes, and what it says of it.

    Attributes:
        device: where the model computes.
        precision: `fp32`, `bf16` or `fp16`.
        num_workers: threads that read features ahead.
        profile: print and write how many seconds each part of a fold took.
        tensorboard: also write the log as TensorBoard scalars.
    """

    device: torch.device
    precision: str
    num_workers: int
    profile: bool = False
    tensorboard: bool = False


def run_fold(
    inputs: FoldInputs,
    design: Mapping[str, Any],
    protocol: TrainingProtocol,
    computation: Computation,
    place: Path,
    *,
    stage: str,
) -> None:
    """Train a fold and predict its validation cases (`train`), then its test cases (`test`), or both (`all`).

    Args:
        inputs: of the fold.
        design: of its model, see `utils.pipeline.models.architecture`.
        protocol: how it is trained.
        computation: where and how it computes.
        place: the folder of the fold.
        stage: `all`, `train` or `test`.

    Raises:
        UserError: for a loss or score that is not finite, or a checkpoint that cannot be read.
    """
    stopwatch = Stopwatch(computation.device if computation.profile else None)
    if stage != "test":
        model = new_model(design, inputs.anchors, seed=protocol.seed, fold=inputs.fold.index).to(computation.device)
        runner = Runner(model, computation.device, computation.precision, stopwatch=stopwatch)
        train_fold(inputs, runner, protocol, computation, place, checkpoint={"architecture": dict(design)})
    model, epoch = load_model(place / "checkpoint.pt")
    runner = Runner(model.to(computation.device), computation.device, computation.precision, stopwatch=stopwatch)
    metrics: dict[str, Any] = {"fold": inputs.fold.index, "best_epoch": epoch}
    outcomes = training_outcomes(inputs, place / "outcomes_train.csv") if protocol.task == "surv" else None
    predict_training_cases(inputs, runner, protocol.batch_size, computation.num_workers, place)
    for part in ("val",) if stage == "train" else ("val", "test"):
        path = place / f"predictions_{part}.csv"
        write_predictions(path, predict_part(inputs, part, runner, protocol.batch_size, computation.num_workers))
        table = read_predictions(path)
        metrics[part] = fold_metrics(table, outcomes=outcomes)
        if part == "test":
            metrics[part] = with_calibration(metrics[part], table, place, outcomes=outcomes, seed=protocol.seed)
    if "test" in metrics:
        write_json(place / "metrics.json", versioned(metrics))
    if stage != "test":
        remove_last_state(inputs.fold.index, protocol, place)
    if computation.profile:
        split = stopwatch.split()
        write_json(place / "profile.json", split)
        logger.info("profile of fold %d: %s", inputs.fold.index, in_words(split))


def predict_training_cases(inputs: FoldInputs, runner: Runner, batch_size: int, num_workers: int, place: Path) -> None:
    """Write `predictions_train.csv`: who a fold was trained on, and which risks and probabilities it gives them.

    With another cohort, it tells the patients that must not be in it, and the risk at which cases are divided
    (`utils.statistics.cut_off`).
    """
    write_predictions(place / "predictions_train.csv", predict_part(inputs, "train", runner, batch_size, num_workers))


def remove_last_state(fold: int, protocol: TrainingProtocol, place: Path) -> None:
    """Remove the `last.pt` of a finished fold that was stopped early, which no call goes on with.

    A fold that ran out of epochs keeps it: with more of them, its training goes on.
    """
    if schedule_of(protocol, fold).state_in(place).stopped_early:
        (place / "last.pt").unlink(missing_ok=True)


def skip_fold(
    inputs: FoldInputs, protocol: TrainingProtocol, computation: Computation, place: Path, *, stage: str
) -> None:
    """Say that a fold is finished, and add what it may lack: predictions of its training cases, its log in TensorBoard.

    Raises:
        UserError: for a checkpoint that cannot be read.
    """
    logger.info("fold %d is finished", inputs.fold.index)
    if not (place / "predictions_train.csv").exists():  # of an earlier version of this code
        model, _ = load_model(place / "checkpoint.pt")
        runner = Runner(model.to(computation.device), computation.device, computation.precision)
        predict_training_cases(inputs, runner, protocol.batch_size, computation.num_workers, place)
    if stage != "test":  # the options of a test stage need not be those of the training
        remove_last_state(inputs.fold.index, protocol, place)
    if computation.tensorboard:
        write_whole_log(place / "log.csv", place / "tensorboard")


def train_fold(
    inputs: FoldInputs,
    runner: Runner,
    protocol: TrainingProtocol,
    computation: Computation,
    place: Path,
    *,
    checkpoint: dict[str, Any],
) -> None:
    """Train to the best checkpoint; `checkpoint` goes into it beside the model and its scale of the features."""
    fold = inputs.fold
    loss = loss_of(protocol.task, protocol.alpha_surv)
    reader = batch_reader(computation.num_workers, runner.device)
    training = TrainingBatches(
        bags(inputs, "train", max_patches=protocol.max_patches),
        batch_size=protocol.batch_size,
        weighted=protocol.weighted_sampling,
        seed_of_epoch=lambda epoch: derive_seed(protocol.seed, "order", fold.index, epoch),
        reader=reader,
    )
    validation = EvaluationBatches(bags(inputs, "val"), batch_size=protocol.batch_size, reader=reader)

    def objective(out: BagOutput, target: Mapping[str, Tensor]) -> Tensor:
        return training_objective(out, target, loss)

    optimizer = build_optimizer(protocol.optimizer, runner.model, lr=protocol.lr, weight_decay=protocol.weight_decay)
    ending = {name: getattr(protocol, name) for name in ("task", "epochs", "patience", "monitor")}
    to_come = folds_to_come(place.parent, fold.index, {**ending, "stage": "train"})
    about = {**checkpoint, "feature_norm": inputs.anchors.feature_norm.to_json()}
    with closing(TensorBoardLog(place / "tensorboard")) if computation.tensorboard else nullcontext() as on_epoch:
        scores = validation_scores(fold, loss)
        parts = runner, training, validation, objective, scores, optimizer, schedule_of(protocol, fold.index), place
        train(*parts, checkpoint=about, on_epoch=on_epoch, to_come=to_come)


def schedule_of(protocol: TrainingProtocol, fold: int) -> Schedule:
    """How long a fold is trained, and which epoch is kept."""
    return Schedule(
        epochs=protocol.epochs,
        patience=protocol.patience,
        grad_accum=protocol.grad_accum,
        monitor=protocol.monitor,
        tie_rule=protocol.tie_rule,
        seed=protocol.seed,
        fold=fold,
    )


def training_outcomes(inputs: FoldInputs, path: Path) -> pd.DataFrame:
    """Write what the metrics that correct for censoring need of the training cases, and read it back."""
    known = {name: value.numpy() for name, value in outcomes_of(inputs.fold.train).items()}
    case_ids = [case.case_id for case in inputs.fold.train]
    write_training_outcomes(path, case_ids=case_ids, time=known["time"], event=1 - known["censored"], bin=known["bin"])
    return read_training_outcomes(path)


def predict_part(inputs: FoldInputs, part: str, runner: Runner, batch_size: int, num_workers: int) -> pd.DataFrame:
    """Predictions of one part of a fold, a row per case."""
    reader = batch_reader(num_workers, runner.device)
    batches = EvaluationBatches(bags(inputs, part), batch_size=batch_size, reader=reader)
    logits = predict(runner, batches, n_batches=len(batches), label=f"fold {inputs.fold.index} {part}")
    return prediction_table(inputs.fold.task, inputs.fold.part(part), logits, inputs.fold.class_names)
