"""The first lines of every command: a signal during its imports is one line, and never a traceback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Every file that is run as a command of this repository, with the name that it has in its messages.
COMMANDS = {
    "main.py": "main.py",
    "run_clustering.py": "run_clustering.py",
    "datasets.make_splits": "python -m datasets.make_splits",
    "datasets.pack": "python -m datasets.pack",
    "datasets.inspect": "python -m datasets.inspect",
    "datasets.synthetic": "python -m datasets.synthetic",
    "datasets.ucsb_breast": "python -m datasets.ucsb_breast",
    "utils.tables": "python -m utils.tables",
    "utils.tables.tuning": "python -m utils.tables.tuning",
    "utils.figures": "python -m utils.figures",
    "utils.report": "python -m utils.report",
    "utils.paper": "python -m utils.paper",
    "utils.pipeline.export": "python -m utils.pipeline.export",
    "utils.runs.status": "python -m utils.runs.status",
    "utils.launch.run_piece": "run_piece",
    "script.chain": "chain",
    "script.check_run": "main.py",
    "script.option_words": "option_words",
    "script.reproduction": "reproduction",
    "script.tuning": "tuning",
}
# Python runs this before the command: the signal comes with the command's first import of what is named.
INTERRUPT = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name in ("argparse", "utils.errors"):
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))
sys.meta_path.insert(0, Interrupt())
"""


def test_the_list_of_commands_is_complete():
    files = [
        *ROOT.glob("*.py"),
        *(path for name in ("datasets", "utils", "script") for path in (ROOT / name).rglob("*.py")),
    ]
    found = {path.relative_to(ROOT) for path in files if re.search(r"^    sys\.exit\(main", path.read_text(), re.M)}
    listed = {Path(name) for name in COMMANDS if name.endswith(".py")}
    for name in set(COMMANDS) - {str(path) for path in listed}:
        place = Path(*name.split("."))
        listed.add(place / "__main__.py" if (ROOT / place).is_dir() else place.with_suffix(".py"))
    assert found == listed


@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_during_the_imports(tmp_path: Path, command: str):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPT)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    called = [command] if command.endswith(".py") else ["-m", command]
    for number, word in ((signal.SIGINT, "interrupted"), (signal.SIGTERM, "stopped by SIGTERM")):
        ended = subprocess.run(
            [sys.executable, *called, "--help"],
            cwd=ROOT,
            env={**environment, "SIGNAL": str(int(number))},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (128 + number, "")
        assert ended.stderr == f"{COMMANDS[command]}: {word}\n"
