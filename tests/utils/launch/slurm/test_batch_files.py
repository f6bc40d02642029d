"""Files for sbatch: they can be read, and run by themselves, without submitit."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from unittest.mock import ANY

import pytest

from tests.utils.launch.slurm import work
from tests.utils.launch.slurm.stand_in import StandIn
from tests.utils.launch.slurm.work import piece
from utils.command.launch_options import LaunchOptions
from utils.launch.piece import Ended, Piece
from utils.launch.slurm.launcher import SlurmLauncher, written
from utils.launch.slurm.record import read_ended


def write(pieces: list[Piece], *words: str) -> tuple[Path, str]:
    options = LaunchOptions(launcher="slurm", slurm=("time=60", *words), jobs=2, dry_run=True)
    said = written(pieces, SlurmLauncher(options, device="cpu"))
    (folder,) = [path for path in (pieces[0].log.parent / "slurm").iterdir() if path.name != "state"]
    return folder, said


def test_what_is_written_can_be_read(tmp_path: Path):
    (tmp_path / "cluster.json").write_text('{"setup": ["module load cuda"], "end": {"partition": "cpu"}}')
    pieces = [piece(tmp_path, str(k), work.say) for k in range(5)]
    pieces.append(piece(tmp_path, "end", work.say, kind="end", needs=["0"]))
    words = ("partition=gpu", "cpus_per_task=4", "exclusive=user", str(tmp_path / "cluster.json"))
    folder, said = write(pieces, *words)
    assert said == (
        f"wrote {folder}/submit.sh, which submits 6 pieces; when they have ended, this command without --dry_run does "
        "what is left"
    )
    names = ["1_fold.json", "1_fold.sbatch", "2_end.json", "2_end.sbatch", "submit.sh"]
    assert sorted(path.name for path in folder.iterdir()) == names
    text = (folder / "1_fold.sbatch").read_text()
    assert text.startswith("#!/bin/bash\n# 5 pieces: 0; 1; 2; ...\n#SBATCH --job-name=mico-fold\n")
    assert "#SBATCH --array=0-4%2\n" in text
    for line in ("#SBATCH --time=60", "#SBATCH --partition=gpu", "#SBATCH --exclusive=user", "module load cuda"):
        assert f"{line}\n" in text
    assert "srun --unbuffered --cpus-per-task=4 " in text
    assert "#SBATCH --partition=cpu\n" in (folder / "2_end.sbatch").read_text()
    submit = (folder / "submit.sh").read_text()
    assert "job1=$(sbatch --parsable 1_fold.sbatch)\n" in submit
    assert 'job2=$(sbatch --parsable --dependency="afterany:$job1" 2_end.sbatch)\n' in submit
    assert "submitit" not in text + submit


@pytest.mark.slow
def test_they_run_by_themselves(slurm: StandIn, tmp_path: Path):
    """One is put back at its time limit, one is killed once, one fails and takes what needs it."""
    (tmp_path / "marks").mkdir()
    pieces = [
        piece(tmp_path, "n", work.count, str(tmp_path / "n"), 40),
        piece(tmp_path, "once", work.die, str(tmp_path / "marks"), 1),
        piece(tmp_path, "bad", work.fail, "no"),
        piece(tmp_path, "end", work.say, "made", kind="end", needs=["n", "once"]),
        piece(tmp_path, "other end", work.say, kind="end", needs=["bad"]),
    ]
    folder, _ = write(pieces)
    ended = subprocess.run(["bash", folder / "submit.sh"], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("submitted; to cancel: scancel 101 102\n", "")

    def preempt() -> None:
        while not (tmp_path / "n").exists():
            time.sleep(0.02)
        slurm.preempt("101_0")

    threading.Thread(target=preempt).start()
    while any(job.state in ("PENDING", "RUNNING", "COMPLETING") for job in slurm.jobs.values()):
        time.sleep(0.1)
    assert [read_ended(each) for each in pieces] == [
        Ended("n", 0, "counted to 40", (), ANY),
        Ended("once", 0, "went on", (), ANY),
        Ended("bad", 2, "prog: error: no", (), ANY),
        Ended("end", 0, "made", (), ANY),
        Ended("other end", 1, "not run, because of: bad"),
    ]
    assert [int(line) for line in (tmp_path / "n").read_text().split()] == list(range(1, 41))
    assert slurm.jobs["101_0"].restarts == 1
    assert (folder / "1_fold_2.out").exists()
