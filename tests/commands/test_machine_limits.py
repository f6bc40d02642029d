"""Real processes on a machine with limits: of threads, of a terminal, of a reader that leaves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.conftest import cls_arguments, files_in

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# As another user, since no limit holds for root; who may still read all that the tests of root may read.
AS_NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *(f"--{kind}-caps=-all,+dac_override,+dac_read_search" for kind in ("inh", "ambient")),
)


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, check=False, timeout=400
    )


def arguments(cohort, results: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "main.py",
        *map(str, cls_arguments(cohort, results, "--epochs", "1", "--folds", "0", *more)),
    ]


def test_a_limit_on_threads_changes_no_result(cls_cohort, tmp_path: Path):
    for name in ("free", "limited"):
        (tmp_path / name).mkdir(mode=0o777)
        (tmp_path / name).chmod(0o777)
    free = run(arguments(cls_cohort, tmp_path / "free"), OMP_NUM_THREADS="1")
    assert free.returncode == 0, free.stderr
    as_another = AS_NOBODY if os.geteuid() == 0 and shutil.which("setpriv") else ()
    limited = [
        "env",
        "-u",
        "OMP_NUM_THREADS",
        "prlimit",
        "--nproc=1",
        *as_another,
        *arguments(cls_cohort, tmp_path / "limited"),
    ]
    ended = run(limited, HOME=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert b"Traceback" not in ended.stderr
    names = files_in(tmp_path / "free")
    assert files_in(tmp_path / "limited") == names
    for name in (name for name in names if name.endswith(("checkpoint.pt", "metrics.json")) or "predictions" in name):
        assert (tmp_path / "limited" / name).read_bytes() == (tmp_path / "free" / name).read_bytes()


def test_names_of_any_language_in_a_terminal_of_ascii_whose_reader_leaves(cls_cohort, tmp_path: Path):
    words = arguments(cls_cohort, tmp_path, "--dataset", "Zürich–Ä ±")
    ended = run(["bash", "-c", '"$@" | head -n 1; exit ${PIPESTATUS[0]}', "bash", *words], PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.count(b"\n") == 1
    assert b"Z\\xfcrich\\u2013\\xc4 \\xb1" in (tmp_path / "cls/Zürich–Ä ±/mico_released/summary.md").read_text().encode(
        "ascii", "backslashreplace"
    )
