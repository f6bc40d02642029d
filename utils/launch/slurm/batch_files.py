"""Files for `sbatch`, which submit and run the pieces of a launch without this program's launcher or submitit."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.files.atomic import write_text
from utils.files.phrases import counted
from utils.launch.piece import Piece
from utils.launch.piece_file import write_pieces
from utils.launch.process import ROOT
from utils.launch.slurm.options import SlurmOptions
from utils.launch.slurm.stages import Stage

_BATCH = """#!/bin/bash
# {count}: {labels}
{options}

{setup}
job="${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID" status=0
for try in 1 2; do  # once more from what it has saved if it is killed
    srun --unbuffered{srun} {command} "$SLURM_ARRAY_TASK_ID" && status=0 || status=$?
    [ "$status" = 137 ] || break
done
# 140: the time limit is near. 143: a job of higher priority takes its place, or it is cancelled; then it runs no more.
case "$status" in 140 | 143)
    if [ "${{SLURM_RESTART_COUNT:-0}}" -lt {requeues} ] && [ "$(squeue -h -j "$job" -o %T)" = RUNNING ]; then
        scontrol requeue "$job"
    fi ;;
esac
exit "$status"
"""
_SUBMIT = """#!/usr/bin/env bash
# Submits the jobs of this folder, each stage to begin when the one before it has ended. How each piece ended is in
# {state}, and its log beside that folder.
set -euo pipefail
cd {folder}
{lines}
echo "submitted; to cancel: scancel {variables}"
"""


def setup_lines(options: SlurmOptions) -> list[str]:
    """What each job begins with: lines of the user, where this program lies, and as many threads as it has cores."""
    return [
        *options.setup,
        f"cd {shlex.quote(str(Path.cwd()))}",
        f'export PYTHONPATH={shlex.quote(str(ROOT))}"${{PYTHONPATH:+:$PYTHONPATH}}"',
        'export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}"',
    ]


def write_batch_files(
    folder: Path, stages: Sequence[Stage], pieces: Sequence[Piece], options: SlurmOptions, parallel: int
) -> None:
    """Write `submit.sh`, and for each stage the pieces as JSON and a file for `sbatch`.

    Args:
        folder: that they are written to.
        stages: of the launch.
        pieces: all of them.
        options: of `sbatch`.
        parallel: how many jobs of an array run at a time.
    """
    lines = []
    for number, stage in enumerate(stages, start=1):
        stem = f"{number}_{stage.kind}"
        write_pieces(folder / f"{stem}.json", stage.pieces, pieces)
        write_text(folder / f"{stem}.sbatch", _batch_text(folder.absolute() / stem, stage, options, parallel))
        after = "".join(f":$job{stages.index(other) + 1}" for other in stage.after)
        dependency = f' --dependency="afterany{after}"' if after else ""
        lines.append(f"job{number}=$(sbatch --parsable{dependency} {stem}.sbatch)")
    variables = " ".join(f"$job{number}" for number in range(1, len(stages) + 1))
    text = _SUBMIT.format(
        state=folder.absolute().parent / "state",
        folder=shlex.quote(str(folder.absolute())),
        lines="\n".join(lines),
        variables=variables,
    )
    write_text(folder / "submit.sh", text)


def _batch_text(stem: Path, stage: Stage, options: SlurmOptions, parallel: int) -> str:
    count = len(stage.pieces)
    given = {
        "job-name": f"mico-{stage.kind}",
        "array": f"0-{count - 1}%{min(count, parallel)}",
        "nodes": "1",
        "output": f"{stem}_%a.out",
        "open-mode": "append",
        "signal": f"USR2@{options.signal_delay}",
        "requeue": True,
        **options.of(stage.kind),
    }
    cpus = given.get("cpus-per-task")
    command = [sys.executable, "-m", "utils.launch.run_piece", f"{stem}.json"]
    labels = [piece.label for piece in stage.pieces]
    return _BATCH.format(
        count=counted(count, "piece"),
        labels="; ".join([*labels[:3], "..."] if count > 3 else labels),
        options="\n".join(
            f"#SBATCH --{name}" + ("" if value is True else f"={shlex.quote(str(value))}")
            for name, value in given.items()
        ),
        setup="\n".join(setup_lines(options)),
        srun=f" --cpus-per-task={cpus}" if cpus else "",
        command=shlex.join(command),
        requeues=options.max_requeues,
    )
