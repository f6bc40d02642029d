"""What is said where submitit or Slurm is missing, and everything else goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from utils.errors import UserError
from utils.launch.slurm.options import read_slurm_options
from utils.launch.slurm.queue import SlurmQueue

ROOT = Path(__file__).parents[4]
OPTIONS = read_slurm_options(["time=60"])
WITHOUT_SUBMITIT = """
import sys
sys.modules["submitit"] = None
import main
from utils.launch.slurm.launcher import SlurmLauncher
sys.exit(main.main(main.parse_arguments(sys.argv[1:])))
"""


def test_without_slurm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"got --launcher slurm, but there is no sbatch on this machine"):
        SlurmQueue(OPTIONS, 2)


def test_without_submitit_it_is_said_how_to_install_it(tmp_path: Path):
    arguments = ["--task", "cls", "--dataset", "X", "--anchors", "random", "--features_dir", str(tmp_path)]
    arguments += ["--splits_dir", str(tmp_path), "--results_dir", str(tmp_path / "results")]
    line = [sys.executable, "-c", WITHOUT_SUBMITIT, *arguments]
    more = ["--launcher", "slurm", "--slurm", "time=60"]
    ended = subprocess.run([*line, *more], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == (
        "main.py: error: got --launcher slurm, but submitit is not installed: run bash script/setup.sh --with-extras, "
        "or pip install submitit, or write the files for sbatch with --dry_run, which does without it\n"
    )
    # As far as without it: there are no features.
    for others in ([], [*more, "--dry_run"], ["--launcher", "local", "--gpus", "cpu"]):
        ended = subprocess.run([*line, *others], cwd=ROOT, capture_output=True, text=True, check=False)
        assert "feature" in ended.stderr, others
        assert "submitit is not installed" not in ended.stderr
