"""Output that never ends the work, in processes of their own: they are given closed, full and foreign streams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils.machine.streams import open_log

ROOT = Path(__file__).parents[3]
PROGRAM = r"""
import contextlib, logging, os, sys, time, warnings
from utils.machine.streams import protect_output
protect_output()
from pathlib import Path
from tqdm import tqdm
from utils.command.console import log_to_terminal
log_to_terminal()
for number in tqdm(range(200), disable=False, mininterval=0):
    logging.getLogger("main").info("Z\u00fcrich \u2013 \u00b1 \udcff %d" % number)
    sys.stdout.write("x" * 1000 + "\n")
    sys.stderr.write("y" * 1000 + "\n")
warnings.warn("\u00fc")
with open(sys.argv[1], "w") as file:  # takes the lowest number of a file that is free
    for number in (1, 2):
        with contextlib.suppress(OSError):
            os.write(number, b"as from C")
    file.write("done")
"""


def run(tmp_path: Path, streams: str, **environment: str) -> tuple[int, str, bytes]:
    """Exit code of the program, what its file holds, and what was said."""
    done = tmp_path / "done"
    arguments = [sys.executable, "-c", PROGRAM, str(done)]
    script = f'"$@" {streams}; exit ${{PIPESTATUS[0]}}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = ["bash", "-c", script, "bash", *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    return ended.returncode, done.read_text() if done.exists() else "", ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "streams",
    [
        "2>/dev/null | head -n 1",
        "2>&1 >/dev/null | true",
        "2>&1 | head -c 10",
        ">&-",
        "2>&-",
        "<&- >&- 2>&-",
        ">/dev/full 2>/dev/null",
        ">/dev/full 2>&1",
    ],
)
def test_the_work_goes_on(tmp_path: Path, streams: str):
    status, written, said = run(tmp_path, streams)
    assert (status, written) == (0, "done")
    assert b"Traceback" not in said
    assert b"Exception ignored" not in said


def test_that_output_is_lost_to_a_full_disk_is_said_once(tmp_path: Path):
    status, written, said = run(tmp_path, ">/dev/full")
    assert (status, written) == (0, "done")
    assert said.count(b"warning: output is lost (No space left on device); the work goes on\n") == 1


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"PYTHONIOENCODING": "ascii"}, rb"Z\xfcrich \u2013 \xb1 \udcff 0"),
        ({"PYTHONIOENCODING": "latin-1"}, b"Z\xfcrich \\u2013 \xb1 \\udcff 0"),
        ({"PYTHONIOENCODING": "utf-8"}, "Zürich – ± \\udcff 0".encode()),
        ({"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, rb"Z\xfcrich \u2013 \xb1 \udcff 0"),
    ],
)
def test_every_terminal_shows_every_name(tmp_path: Path, environment: dict[str, str], shown: bytes):
    status, written, said = run(tmp_path, "2>/dev/null", **environment)
    assert (status, written) == (0, "done")
    assert said.splitlines()[0] == shown


def test_a_pipe_that_does_not_wait_loses_nothing(tmp_path: Path):
    program = "import os, sys; from utils.machine.streams import protect_output; protect_output(); "
    program += "os.set_blocking(1, False); [sys.stdout.write('x' * 99 + '\\n') for _ in range(10_000)]"
    command = ["bash", "-c", f'{sys.executable} -c "{program}" | (sleep 0.3; wc -c)']
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
    assert (int(ended.stdout), ended.stderr) == (1_000_000, b"")


def test_a_log_is_written_at_its_end(tmp_path: Path):
    path = tmp_path / "log"
    path.write_text("before\n")
    with open_log(path) as log:
        log.write("Zürich \udcff\n")
        assert path.read_bytes() == b"before\nZ\xc3\xbcrich \\udcff\n"


def test_a_log_on_a_full_disk_costs_lines_only():
    with open_log("/dev/full") as log:
        for _ in range(1000):
            log.write("x" * 1000)
