"""The option `--threads` of the commands that compute with a model."""

from __future__ import annotations

from typing import Any

from utils.command.arguments import option
from utils.command.limits import THREADS, Limits


def threads_option() -> Any:
    """A field for the settings: how many threads compute; None = auto."""
    return option(
        None,
        "threads of the CPU that the model computes in, a number or auto: OMP_NUM_THREADS where that is set, else by "
        "the size of the bags and the cores of the process; last digits of predictions depend on it (default: auto)",
        role="run",
        limits=Limits(1, THREADS),
        nothing=("auto",),
    )
