"""MiCo with and without torch.compile, each form in a process of its own that is given up when time is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu_check.check import Check
from benchmarks.gpu_check.report import PartReport, Table
from benchmarks.gpu_check.variants import PAPER, RELEASED, Variant

ROOT = Path(__file__).parents[2]
PRECISION = "bf16"
TASKS = ("prediction", "training step")
FIRST_SECONDS = 15.0  # a process needs about so many to begin
TIMES = ("without", "with", "ratio", "first", "breaks", "difference")


def run(check: Check, report: PartReport) -> None:
    """The table of both forms; the small run has one."""
    table = report.table(
        f"torch.compile(dynamic=True), {check.sizes.slides[0]} patches on the device, {PRECISION}",
        *("model", "form", "task", "ms without", "ms with", "without / with", "first calls (s)", "graph breaks"),
        *("logits, relative difference", "result"),
    )
    variants = (RELEASED,) if check.small else (RELEASED, PAPER)
    for number, variant in enumerate(variants):
        what = f"{variant}, compiled"
        if report.time_for(what, needs=0 if check.small else FIRST_SECONDS):
            with report.attempt(what):
                seconds = (report.deadline - time.monotonic()) / (len(variants) - number)
                add_rows(check, table, variant, max(FIRST_SECONDS, seconds))
    backend = "eager: traced, and run by torch as it is" if check.small else "inductor"
    report.note(f"Backend {backend}. A compilation that fails is a result: the first line of its message stands there.")


def add_rows(check: Check, table: Table, variant: Variant, seconds: float) -> None:
    """Measure a form in a process of its own, for so many seconds."""
    asked = {"form": variant.form, "tasks": TASKS, "precision": PRECISION}
    answers, how = measured({**asked, "device": str(check.device), "small": check.small}, seconds)
    for task in TASKS:
        answer = answers.get(task, {"error": how})
        values = [answer.get(name) for name in TIMES]
        table.add(variant.name, variant.form, task, *values, answer.get("error", "compiled"))


def measured(asked: dict[str, Any], seconds: float) -> tuple[dict[str, dict[str, Any]], str]:
    """What `benchmarks.gpu_check.compiled_process` measures, by task, and how it ended."""
    command = [sys.executable, "-m", "benchmarks.gpu_check.compiled_process", json.dumps(asked)]
    how = ""
    # A file, not a pipe: processes that compile for this one would keep a pipe open after its end.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=printed, stderr=subprocess.DEVNULL, text=True, start_new_session=True
        )
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            how = f"given up after {seconds:.0f} s"
        finally:
            stop_group(process.pid)  # with the processes that compile for it
            process.wait()
        printed.seek(0)
        answers = [json.loads(line) for line in printed if line.startswith('{"task"')]
    return {answer["task"]: answer for answer in answers}, how or f"ended with status {process.returncode}"


def stop_group(group: int) -> None:
    """End all processes of a group that was started here."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:  # all have ended
        return
