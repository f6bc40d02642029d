"""The state of the global random generators as plain values, so that what is drawn next can be drawn again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def random_state(device: torch.device) -> dict[str, Any]:
    """The state of the generators that `utils.machine.seed.seed_everything` seeds: tensors and plain values.

    Args:
        device: of a GPU, the state of its generator is kept beside those of the CPU.
    """
    name, keys, *place = np.random.get_state()  # noqa: NPY002  libraries draw from numpy's global generator
    return {
        "python": random.getstate(),
        "numpy": (str(name), torch.from_numpy(np.asarray(keys).astype(np.int64)), *place),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore_random_state(state: Mapping[str, Any], device: torch.device) -> None:
    """Set the generators to a state of `random_state`; a GPU's where it was kept and the device is one.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError: for what is not such a state.
    """
    name, keys, *place = state["numpy"]
    random.setstate(state["python"])
    np.random.set_state((name, keys.numpy().astype(np.uint32), *place))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
