"""Training against three epochs of the released code: the same weights at the start, the same order, no dropout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.reference.trajectory import TRAJECTORIES, follow


@pytest.mark.parametrize("task", TRAJECTORIES)
def test_training_follows_the_released_code(task: str, tmp_path: Path):
    """Reached: 2.4e-7 in the losses, 0.03 % of the distance moved in the parameters, 0.05 % in every single one."""
    reached = follow(task, tmp_path, device=torch.device("cpu"))
    assert reached.losses < 1e-6
    assert reached.parameters < 1e-3
    assert reached.worst_tensor < 1e-3
