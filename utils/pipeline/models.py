"""The model of a fold: built with its anchors and its scale of the features, loaded from a checkpoint; and its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models import build_model, options_of
from models.bag_model import BagModel
from models.losses import nll_survival
from utils.anchors.fold_anchors import FoldAnchors
from utils.errors import UserError
from utils.files.tensors import LOAD_ERRORS, first_line
from utils.machine.memory import free_memory
from utils.machine.seed import derive_seed, seed_everything
from utils.pipeline.checkpoint_content import check_epoch, check_parts, scale_of_features
from utils.pipeline.model_options import N_ANCHORS
from utils.training.checkpoint import load_checkpoint

Loss = Callable[[Tensor, Mapping[str, Tensor]], Tensor]
_SMALL = 10**9  # bytes: models of the papers have some MB, for which nobody asks how much memory is free


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
        UserError: for options that do not go together, or a model that is larger than the memory.
    """
    ablated = design.get("ablate", ())
    if "anchors" in ablated and anchors.read_slide is not None:
        raise UserError(
            "got --ablate anchors with slide anchors, which are not learned: give data-set anchors or random"
        )
    try:
        parameters = _parameters_of(design)
    except ValueError as error:
        raise UserError(f"the model cannot be built: {error}") from error
    _check_memory(parameters)
    seed_everything(derive_seed(seed, "model", fold))
    model: Any = build_model(**design)
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
    return model, check_epoch(state["epoch"], checkpoint)


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
            than the one that is described, or that give no predictions.
    """
    check_parts(design, weights, source)
    # Files without a format hold the options of all models: for another model they mean nothing.
    try:
        known = {"name", "dim_in", "n_outputs", *options_of(design["name"])}
        own = {name: value for name, value in design.items() if name in known}
        _check_shapes(_parameters_of(own), weights)
        model: Any = build_model(**own)
        model.load_state_dict(weights)
    except LOAD_ERRORS as error:  # what models do not check, torch refuses, each with an error of its own
        raise UserError(
            f"{source} holds weights that do not fit their description ({first_line(error)}): take it from its source "
            "again, or train this fold again"
        ) from error
    try:
        model.check_weights()
    except ValueError as error:
        raise UserError(
            f"{source} holds weights that give no predictions ({error}): remove it and train this fold again"
        ) from error
    model.feature_scale = scale_of_features(feature_norm, design["dim_in"], source)
    restored: BagModel = model.eval()
    return restored


def _parameters_of(design: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict of a model without its numbers: nothing is allocated, no random number is drawn."""
    with torch.device("meta"):
        return dict(build_model(**design).state_dict())


def _check_memory(parameters: Mapping[str, Tensor]) -> None:
    """Check that parameters fit into what is free; nothing is known of systems that do not tell it."""
    n_parameters = sum(value.numel() for value in parameters.values())
    n_bytes = sum(value.nbytes for value in parameters.values())
    if n_bytes < _SMALL:
        return
    try:
        free = free_memory()
    except UserError:
        return
    if n_bytes > free:
        raise UserError(
            f"the model would have {n_parameters:.3g} parameters, which take {n_bytes / 1e9:.3g} GB, and "
            f"{free / 1e9:.3g} GB of memory are free: give a smaller --embed_dim or --n_clusters"
        )


def _check_shapes(parameters: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Check that weights are of these parameters, before a model of a size that a file names is made."""
    for name in (*parameters, *weights):
        if name not in weights or name not in parameters:
            raise ValueError(f"{name} is {'missing' if name in parameters else 'left over'}")
        if weights[name].shape != parameters[name].shape:
            found, expected = tuple(weights[name].shape), tuple(parameters[name].shape)
            raise ValueError(f"{name} has shape {found}, expected {expected}")
        if weights[name].is_floating_point() != parameters[name].is_floating_point():
            raise ValueError(f"{name} is of type {weights[name].dtype}, expected {parameters[name].dtype}")


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
