from __future__ import annotations

import pytest

from utils.command.launch_options import LaunchOptions
from utils.launch.launchers import LAUNCHERS, launcher_of


@pytest.mark.usefixtures("light_server")
@pytest.mark.parametrize("name", [None, *LAUNCHERS])
def test_each_name_is_a_launcher(name: str | None):
    launcher = launcher_of(LaunchOptions(launcher=name, jobs=1), device="cpu")
    assert (launcher.n_slots, launcher.device) == (1, "cpu")
    assert callable(launcher.run)
