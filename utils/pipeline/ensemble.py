"""A trained run, or what was exported of it, as one model: the ensemble of its folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from models.bag_model import BagModel
from models.losses import log_survival
from utils.errors import UserError
from utils.files.phrases import numbered
from utils.files.provenance import digest
from utils.pipeline.exported import MODEL_RECORD, ExportedFold, read_exported
from utils.pipeline.feature_facts import FeatureFacts, check_same_scale
from utils.pipeline.models import load_model, restored_model
from utils.pipeline.trained_on import cases_of_table, digests_of_cases
from utils.runs.predictions import read_predictions
from utils.runs.run_dir import fold_dir, fold_files
from utils.runs.run_record import class_names, read_run
from utils.runs.tasks import SURVIVAL
from utils.runs.training_outcomes import read_training_outcomes
from utils.statistics.calibration import training_edges
from utils.statistics.calibration_metrics import Threshold
from utils.statistics.cut_off import median_risk

TRAINING_PREDICTIONS = "predictions_train.csv"


@dataclass(frozen=True)
class TrainedFold:
    """The model of a fold, with what its training cases fix.

    Attributes:
        index: number of the fold.
        model: in evaluation mode, with its scale of the features.
        cut_off: the median risk of its training cases (survival; None in classification).
        threshold: the probability of class 1 from which on a case is called class 1, chosen by its validation cases
            (None in survival, beyond two classes, and where these define none).
        inner_edges: the inner edges of its time bins in months, (C - 1,); None where they are not known.
        trained_on: digests of the names of its training cases.
        chosen_on: digests of the names of its validation cases, which chose its epoch.
        file: of its weights.
    """

    index: int
    model: BagModel
    cut_off: float | None
    threshold: float | None
    inner_edges: tuple[float, ...] | None
    trained_on: frozenset[str]
    chosen_on: frozenset[str]
    file: Path

    def digest(self) -> str:
        """SHA-256 of the file of the weights: another one tells that the fold was trained again."""
        return digest(self.file)


@dataclass(frozen=True)
class Ensemble:
    """The models of a run that are used together.

    Attributes:
        source: the folder that they were read from.
        record: `run.json` of the run, or what an exported model keeps of it.
        folds: the models.
    """

    source: Path
    record: Mapping[str, Any]
    folds: tuple[TrainedFold, ...]

    @property
    def task(self) -> str:
        """`cls` or `surv`."""
        return str(self.record["task"])

    @property
    def dim_in(self) -> int:
        """D, the width of the features."""
        return int(self.record["dim_in"])

    @property
    def n_outputs(self) -> int:
        """C, the number of classes or time bins."""
        return int(self.record["n_outputs"])

    @property
    def class_names(self) -> list[str] | None:
        """The names of the classes, their numbers where they have none; None in survival."""
        return None if self.task == SURVIVAL.name else class_names(self.record, self.n_outputs)

    @property
    def facts(self) -> FeatureFacts | None:
        """What is known of the features that it was trained on."""
        return FeatureFacts.from_json(self.record.get("feature_facts"))

    @property
    def is_exported(self) -> bool:
        """Whether it is a model that was handed on, and not a run."""
        return (self.source / MODEL_RECORD).exists()

    @property
    def has_slide_anchors(self) -> bool:
        """Whether the models need anchors of each slide."""
        return self.record.get("anchor_scope") == "slide"

    @torch.no_grad()
    def __call__(self, slides: Sequence[Tensor], coords: Sequence[Tensor] | None = None) -> Tensor:
        """What the ensemble says of one case.

        Args:
            slides: the features (M, D) of each of its slides.
            coords: the positions (M, 2) of their patches, for models that use them.

        Returns:
            (C,) float64: the probability of each class, or of surviving each time bin; the risk is minus their sum.

        Raises:
            ValueError: no slide, or one that is no (M, D) of finite numbers with at least one patch.
            UserError: features on another scale than those of the training.
        """
        features = [self._checked(slide) for slide in slides]
        if not features:
            raise ValueError("got no slide, expected the features (M, D) of at least one")
        if self.facts is not None:
            lengths = torch.cat([slide.double().norm(dim=1) for slide in features])
            check_same_scale(FeatureFacts(float(lengths.mean()), None), self.facts)
        sizes = torch.tensor([len(slide) for slide in features])
        index = torch.repeat_interleave(torch.arange(len(features)), sizes)
        positions = None if coords is None else torch.cat([torch.as_tensor(places) for places in coords])
        batch = torch.cat(features), index, torch.zeros(len(features), dtype=torch.long)
        logits = torch.cat([fold.model(*batch, coords=positions).logits for fold in self.folds]).double()
        outputs = log_survival(logits).exp() if self.task == SURVIVAL.name else logits.softmax(dim=1)
        return outputs.mean(dim=0)

    def _checked(self, slide: Tensor) -> Tensor:
        features = torch.as_tensor(slide)
        if features.ndim != 2 or features.shape[1] != self.dim_in or len(features) == 0:
            raise ValueError(
                f"got features of shape {tuple(features.shape)}, expected (M, {self.dim_in}), M at least 1"
            )
        if not features.is_floating_point() or not bool(features.isfinite().all()):
            raise ValueError("got features that are no finite floating-point numbers, expected those of an encoder")
        return features


def load_ensemble(source: Path, folds: Sequence[int] | None = None) -> Ensemble:
    """The models of a run (`RESULTS/TASK/DATASET/RUN_NAME`), or of a folder that `utils.pipeline.export` wrote.

    Args:
        source: the folder.
        folds: numbers of the folds to use; None takes all.

    Raises:
        UserError: for another folder, folds that are not there or not trained to their end, or damaged files.
    """
    source = Path(source)
    if not source.is_dir():
        raise UserError(f"got --run_dir {source}, expected the folder of a run, or an exported model")
    if (source / MODEL_RECORD).exists():
        record, of_folds = read_exported(source)
        chosen = _chosen(source, list(of_folds), folds)
        return Ensemble(source, record, tuple(_exported_fold(k, of_folds[k]) for k in chosen))
    record = read_run(source)
    lacking = [name for name in ("dim_in", "n_outputs") if not isinstance(record.get(name), int)]
    if lacking:
        raise UserError(f"{source / 'run.json'}: lacks {lacking[0]}, expected the record that main.py wrote.")
    trained = [k for k in record["folds"] if (fold_dir(source, k) / "checkpoint.pt").exists()]
    chosen = _chosen(source, record["folds"], folds)
    untrained = [k for k in chosen if k not in trained or not (fold_dir(source, k) / "predictions_val.csv").exists()]
    if untrained:
        raise UserError(
            f"{source} lacks the end of the training of {numbered('fold', untrained)}: finish it with main.py "
            "--resume, or give the trained --folds"
        )
    return Ensemble(source, record, tuple(_trained_fold(source, k, record) for k in chosen))


def _chosen(source: Path, there: Sequence[int], asked: Sequence[int] | None) -> list[int]:
    chosen = sorted(set(there if asked is None else asked))
    missing = [k for k in chosen if k not in there]
    if missing or not chosen:
        found = missing[0] if missing else "none"
        raise UserError(f"got --folds {found}, expected folds of {source}: it has {numbered('fold', sorted(there))}")
    return chosen


def _exported_fold(k: int, fold: ExportedFold) -> TrainedFold:
    model = restored_model(fold.architecture, fold.weights, fold.feature_norm, fold.source)
    fixed = fold.cut_off, fold.threshold, fold.inner_edges
    return TrainedFold(k, model, *fixed, fold.trained_on, fold.chosen_on, fold.source)


def _trained_fold(run_dir: Path, k: int, record: Mapping[str, Any]) -> TrainedFold:
    place = fold_dir(run_dir, k)
    if k not in fold_files(run_dir, TRAINING_PREDICTIONS):
        raise UserError(
            f"{place} lacks {TRAINING_PREDICTIONS}, as it was trained by an earlier version of this code: the command "
            "that trained it writes it, called again with --resume"
        )
    training = read_predictions(place / TRAINING_PREDICTIONS)
    validation = read_predictions(place / "predictions_val.csv")
    model, _ = load_model(place / "checkpoint.pt")
    is_survival = record["task"] == SURVIVAL.name
    return TrainedFold(
        index=k,
        model=model,
        cut_off=median_risk(training) if is_survival else None,
        threshold=None if is_survival else Threshold.of(validation).value,
        inner_edges=_inner_edges(training, place / "outcomes_train.csv") if is_survival else None,
        trained_on=digests_of_cases(cases_of_table(training)),
        chosen_on=digests_of_cases(cases_of_table(validation)),
        file=place / "checkpoint.pt",
    )


def _inner_edges(training: pd.DataFrame, outcomes: Path) -> tuple[float, ...] | None:
    """Those that the training cases show; None for bins of a split file that do not follow the time."""
    edges, _ = training_edges({0: training}, {0: read_training_outcomes(outcomes)})
    return tuple(edges[0].tolist()) if edges else None


def mean_edges(folds: Sequence[TrainedFold]) -> np.ndarray | None:
    """The mean over folds of the inner edges of their time bins, (C - 1,) months; None where one is not known."""
    edges = [fold.inner_edges for fold in folds]
    known = [values for values in edges if values is not None]
    return np.mean(known, axis=0) if len(known) == len(edges) else None


class FoldModels(nn.Module):
    """The models of the folds side by side: called as each of them is, it returns their logits (folds, B, C).

    So a slide is read once for all folds.

    Args:
        folds: the models.
    """

    def __init__(self, folds: Sequence[TrainedFold]) -> None:
        super().__init__()
        self.models = nn.ModuleList(fold.model for fold in folds)

    def forward(self, *batch: Tensor | None) -> Tensor:
        """Logits (folds, B, C), float32, of a batch as `models.bag_model` describes it."""
        return torch.stack([model(*batch).logits.float() for model in self.models])
