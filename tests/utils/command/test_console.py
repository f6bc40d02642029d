"""What a command says on the terminal: its own lines from info on, those of packages from warning on."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils.command.console import log_to_terminal


@pytest.fixture
def terminal():
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = list(root.handlers)
    log_to_terminal()
    yield
    root.handlers, root.level = handlers, level


def test_packages_are_heard_when_something_is_wrong(terminal, capsys):
    for name in ("main", "run_clustering", "utils.training.training", "datasets.bags"):
        logging.getLogger(name).info("said by %s", name)
    logging.getLogger("faiss.loader").info("Loading faiss.")
    logging.getLogger("some.package").warning("is old")
    said = capsys.readouterr().out.splitlines()
    assert said == [
        *("said by main", "said by run_clustering", "said by utils.training.training", "said by datasets.bags"),
        "is old",
    ]


def test_a_reader_that_leaves_does_not_end_the_work(tmp_path):
    program = """
import logging, sys, time
from pathlib import Path
from utils.command.console import exit_code, log_to_terminal
log_to_terminal()
line = "x" * 10_000
def work():
    time.sleep(0.5)  # the reader has gone
    for _ in range(3):
        logging.getLogger("main").info(line)
    Path(sys.argv[1]).touch()
    sys.stdout.write(line)
sys.exit(exit_code(work))
"""
    root = Path(__file__).parents[3]
    command = f"{sys.executable} -c '{program}' {tmp_path / 'done'} | true; exit ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    ended = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "done").exists()
