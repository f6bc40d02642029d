"""The launchers by name; each is a class of one file, which is imported when it is chosen."""

from __future__ import annotations

import importlib
from typing import cast

from utils.command.launch_options import LaunchOptions
from utils.launch.piece import Launcher

# To add one: a class that is made of the options and the device of the runs, see `utils.launch.piece.Launcher`.
LAUNCHERS = {
    "local": "utils.launch.local.LocalLauncher",
    "slurm": "utils.launch.slurm.launcher.SlurmLauncher",
    "ray": "utils.launch.ray_launcher.RayLauncher",
}
DEFAULT = "local"


def launcher_of(options: LaunchOptions, *, device: str) -> Launcher:
    """The launcher that the options ask for.

    Args:
        options: with the name of the launcher, and how many pieces at a time.
        device: `--device` of the runs.

    Raises:
        UserError: for GPUs that are not there, or options that do not go with the device.
    """
    module, _, name = LAUNCHERS[options.launcher or DEFAULT].rpartition(".")
    return cast("Launcher", getattr(importlib.import_module(module), name)(options, device=device))
