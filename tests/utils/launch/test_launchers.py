from __future__ import annotations

import pytest

from utils.command.launch_options import LaunchOptions
from utils.launch.launchers import LAUNCHERS, launcher_of


@pytest.mark.usefixtures("light_server")
@pytest.mark.parametrize("name", [None, *LAUNCHERS])
def test_each_name_is_a_launcher(name: str | None):
    more = {"slurm": ("time=60",), "dry_run": True} if name == "slurm" else {}
    launcher = launcher_of(LaunchOptions(launcher=name, jobs=1, **more), device="cpu")
    assert (launcher.n_slots, launcher.device, launcher.own_memory) == (1, "cpu", name == "slurm")
    assert callable(launcher.run)
