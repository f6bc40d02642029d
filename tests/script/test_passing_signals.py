"""A shell script that a signal reaches: the command it waits for ends first, by itself, and nothing follows."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = """
import signal, sys, time
def save(number, frame):
    time.sleep(0.2)
    print("saved after", signal.Signals(number).name, flush=True)
    sys.exit(128 + number)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, save)
print("ready", flush=True)
time.sleep(float(sys.argv[1]))
sys.exit(int(sys.argv[2]))
"""
SCRIPT = 'set -euo pipefail; . script/passing_signals.sh; passing_signals "$@"; echo "went on"'


def begin(seconds: str, status: str) -> subprocess.Popen[str]:
    command = ["bash", "-c", SCRIPT, "script", sys.executable, "-c", COMMAND, seconds, status]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize(
    ("number", "received"),
    [
        (signal.SIGTERM, "SIGTERM"),
        (signal.SIGHUP, "SIGHUP"),
        (signal.SIGINT, "SIGTERM"),  # a command in the background of a script ignores Ctrl-C
    ],
)
def test_a_signal_reaches_the_command_and_the_script_ends_after_it(number: signal.Signals, received: str):
    script = begin("60", "0")
    assert script.stdout is not None
    assert script.stdout.readline() == "ready\n"
    script.send_signal(number)
    said, _ = script.communicate(timeout=30)
    assert said == f"saved after {received}\n"
    assert script.returncode == 128 + number


@pytest.mark.parametrize(("status", "said"), [("0", "ready\nwent on\n"), ("7", "ready\n")])
def test_without_a_signal_the_script_goes_on_as_the_command_ends(status: str, said: str):
    script = begin("0", status)
    assert script.communicate(timeout=30)[0] == said
    assert script.returncode == int(status)
