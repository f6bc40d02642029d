"""Multiple-instance models: tensors to logits, one call for all of them.

A new model is one file, with a class that derives from `models.bag_model.BagModel`, and one line in `MODELS`; its
options are the keyword arguments of its class (docs/extending.md). A model's file is imported when it is built.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from models.options import ModelOption, read_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.bag_model import BagModel

__all__ = ["MODELS", "build_model", "model_class", "options_of"]

MODELS: dict[str, str] = {
    "mico": "models.mico.MiCo",
    "meanpool": "models.baselines.mean_pool.MeanPool",
    "maxpool": "models.baselines.max_pool.MaxPool",
    "abmil": "models.baselines.abmil.ABMIL",
    "clam_sb": "models.baselines.clam_sb.CLAMSB",
    "dsmil": "models.baselines.dsmil.DSMIL",
    "transmil": "models.baselines.transmil.TransMIL",
    "dtfdmil": "models.baselines.dtfdmil.DTFDMIL",
    "patchgcn": "models.baselines.patchgcn.PatchGCN",
    "deepgraphconv": "models.baselines.deepgraphconv.DeepGraphConv",
}


def model_class(name: str) -> type[BagModel]:
    """The class of a model of the registry.

    Raises:
        ValueError: for an unknown name.
    """
    module, class_name = _qualified(name).rsplit(".", 1)
    found: type[BagModel] = getattr(import_module(module), class_name)
    return found


def options_of(name: str) -> dict[str, ModelOption]:
    """The options of a model of the registry, beside `dim_in` and `n_outputs`; nothing is imported for it.

    Raises:
        ValueError: for an unknown name.
    """
    return read_options(_qualified(name))


def build_model(name: str, *, dim_in: int, n_outputs: int, **options: Any) -> BagModel:
    """Build a model of the registry with fresh parameters, drawn from torch's global generator.

    Args:
        name: a key of `MODELS`.
        dim_in: D, the width of the patch features.
        n_outputs: C, the number of classes, or of survival bins.
        options: keyword arguments of the model's class, such as `embed_dim` and `dropout`.

    Raises:
        ValueError: for an unknown name, an option that the model does not have, or values that it cannot have.
    """
    known = options_of(name)
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ValueError(f"got {', '.join(unknown)} for model '{name}', expected of: {', '.join(known)}")
    for option, value in options.items():
        known[option].check(value)
    build: Callable[..., BagModel] = model_class(name)
    return build(dim_in=dim_in, n_outputs=n_outputs, **options)


def _qualified(name: str) -> str:
    if name not in MODELS:
        raise ValueError(f"got model '{name}', expected one of: {', '.join(sorted(MODELS))}")
    return MODELS[name]
