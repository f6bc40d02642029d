"""The model of a fold: built with its anchors and its scale of the features, loaded from a checkpoint; and its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from models import build_model, options_of
from models.bag_model import BagModel
from models.losses import nll_survival
from utils.anchors.feature_norm import FeatureNorm
from utils.anchors.fold_anchors import FoldAnchors
from utils.errors import UserError
from utils.files.tensors import first_line
from utils.machine.seed import derive_seed, seed_everything
from utils.pipeline.model_options import N_ANCHORS
from utils.training.checkpoint import load_checkpoint

Loss = Callable[[Tensor, Mapping[str, Tensor]], Tensor]


def architecture(
    model: str, options: Mapping[str, Any], *, n_anchors: int | None, dim_in: int, n_outputs: int
) -> dict[str, Any]:
    """The arguments of `build_model`; in a checkpoint they say how to build the model that its weights belong to.

    Args:
        model: its name in the registry.
        options: all of its own, see `RunSettings.model_options`.
        n_anchors: K; None for a model without anchors.
        dim_in: D, the width of the features.
        n_outputs: C, the number of classes or time bins.
    """
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    anchors = {} if n_anchors is None else {N_ANCHORS: n_anchors}
    return {"name": model, "dim_in": dim_in, "n_outputs": n_outputs, **plain, **anchors}


def new_model(design: Mapping[str, Any], anchors: FoldAnchors, *, seed: int, fold: int) -> BagModel:
    """A model with the initial parameters of a fold: a function of seed and fold.

    Args:
        design: what `architecture` says.
        anchors: of the fold: the start of the learnable ones, and the scale of the features.
        seed: of the run.
        fold: number of the fold.

    Raises:
        UserError: for options that do not go together.
    """
    ablated = design.get("ablate", ())
    if "anchors" in ablated and anchors.read_slide is not None:
        raise UserError(
            "got --ablate anchors with slide anchors, which are not learned: give data-set anchors or random"
        )
    seed_everything(derive_seed(seed, "model", fold))
    try:
        model: Any = build_model(**design)
    except ValueError as error:
        raise UserError(f"the model cannot be built: {error}") from error
    if anchors.dataset is not None and "anchors" not in ablated:
        model.initialise_anchors(anchors.dataset)
    model.feature_scale = anchors.feature_norm
    built: BagModel = model
    return built


def load_model(checkpoint: Path) -> tuple[BagModel, int]:
    """The model of a `checkpoint.pt` in evaluation mode, with the scale of its features, and its epoch.

    Raises:
        UserError: for a file that is missing or is no checkpoint, or a parameter that holds NaN or infinity.
    """
    state = load_checkpoint(checkpoint)
    lacking = [name for name in ("architecture", "model", "feature_norm", "epoch") if name not in state]
    if lacking:
        raise UserError(
            f"{checkpoint} holds no {lacking[0]}, expected a checkpoint.pt that main.py wrote: name another"
        )
    model = restored_model(state["architecture"], state["model"], state["feature_norm"], checkpoint)
    return model, state["epoch"]


def restored_model(
    design: Mapping[str, Any], weights: Mapping[str, Tensor], feature_norm: Mapping[str, Any], source: Path
) -> BagModel:
    """A trained model in evaluation mode, with the scale of its features.

    Args:
        design: what `architecture` says.
        weights: its state dict.
        feature_norm: as `FeatureNorm.to_json` gives it.
        source: the file that these are from, for messages.

    Raises:
        UserError: for a parameter that holds NaN or infinity, a scale that cannot be used, or weights of another model
            than the one that is described.
    """
    for name, value in weights.items():
        if not value.isfinite().all():
            raise UserError(
                f"{source} holds NaN or infinity in {name}, expected finite parameters: remove it and train this fold "
                "again"
            )
    # Until 2026-11 the options of all models stood in every checkpoint: for another model they mean nothing.
    try:
        known = {"name", "dim_in", "n_outputs", *options_of(design["name"])}
        model: Any = build_model(**{name: value for name, value in design.items() if name in known})
        model.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:  # RuntimeError: weights of another model
        raise UserError(
            f"{source} holds weights that do not fit their description ({first_line(error)}): take it from its source "
            "again"
        ) from error
    model.feature_scale = FeatureNorm.from_json(dict(feature_norm))
    restored: BagModel = model.eval()
    return restored


def loss_of(task: str, alpha: float) -> Loss:
    """The loss of a task, a mean over the rows of the logits, in float32.

    Args:
        task: `cls`: cross entropy; `surv`: the negative log-likelihood of discrete survival times.
        alpha: `--alpha_surv`, for survival.
    """

    def cross_entropy(logits: Tensor, target: Mapping[str, Tensor]) -> Tensor:
        return F.cross_entropy(logits.float(), target["label"])

    def survival(logits: Tensor, target: Mapping[str, Tensor]) -> Tensor:
        return nll_survival(logits, target["bin"], target["censored"], alpha=alpha)

    return cross_entropy if task == "cls" else survival
