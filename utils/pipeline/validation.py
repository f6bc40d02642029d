"""The scores of the validation cases after each epoch: the `val_*` columns of `log.csv`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from datasets.bags import outcomes_of
from datasets.folds.splits import Fold
from utils.errors import UserError
from utils.pipeline.models import Loss
from utils.pipeline.prediction_table import prediction_table
from utils.runs.tasks import TASKS
from utils.tables.summary import fold_metrics

Scores = dict[str, float | None]


def validation_scores(fold: Fold, loss: Loss) -> Callable[[Tensor], Scores]:
    """A function of the logits (n, C) of a fold's validation cases: `val_loss` and the logged metrics of the task."""
    targets = outcomes_of(fold.val)

    def scores(logits: Tensor) -> Scores:
        measured = fold_metrics(prediction_table(fold.task, fold.val, logits), with_interval=False)
        logged = {f"val_{name}": measured[name] for name in TASKS[fold.task].logged}
        return {"val_loss": loss(logits, targets).item(), **logged}

    return scores


def check_monitor(folds: Sequence[Fold], monitor: str) -> None:
    """Check that the validation cases of every fold define the score that selects the epoch, whatever the model.

    Raises:
        UserError: where one does not, with the reason.
    """
    for fold in folds:
        table = prediction_table(fold.task, fold.val, torch.zeros(len(fold.val), fold.n_outputs))
        reason = fold_metrics(table, with_interval=False)["reasons"].get(monitor.removeprefix("val_"))
        if reason is not None:
            raise UserError(
                f"{monitor} is undefined for the validation cases of fold {fold.index} ({reason}), expected a score "
                "that can select the epoch: give another --monitor, or other splits"
            )
