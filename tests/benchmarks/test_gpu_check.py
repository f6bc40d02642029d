"""The check for machines with a GPU, run small on the CPU, and what it does with parts that fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import pytest
import torch

from benchmarks.gpu_check import __main__ as command
from benchmarks.gpu_check import compiled, measuring, slide_sizes
from benchmarks.gpu_check.check import Check, deadline_after
from benchmarks.gpu_check.kernels import Trace, synchronising
from benchmarks.gpu_check.page import JSON, PAGE
from benchmarks.gpu_check.parts import PARTS, Part
from benchmarks.gpu_check.precisions import Evaluated, differences
from benchmarks.gpu_check.report import PartReport
from benchmarks.gpu_check.sizes import SMALL
from benchmarks.gpu_check.steps import CALLS
from benchmarks.gpu_check.variants import VARIANTS, case_of, random_slide
from models import MODELS
from models.bag_model import BagModel

ROOT = Path(__file__).parents[2]
# Libraries that a machine with a GPU may lack.
LACKING = ("sksurv", "faiss", "torch_scatter", "pytorch_optimizer", "nystrom_attention")


def parsed(*arguments: object):
    return command.get_args_parser().parse_args(["--device", "cpu", "--small", *map(str, arguments)])


def report_of(seconds: float = 60.0) -> PartReport:
    return PartReport("A part", deadline_after(seconds))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict:
    """The whole check by its script."""
    out = tmp_path_factory.mktemp("gpu_check")
    arguments = ["bash", "script/check_gpu.sh", "--device", "cpu", "--small", "--out", str(out)]
    ended = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert "all parts passed" in ended.stdout
    content = json.loads((out / JSON).read_text())
    page = (out / PAGE).read_text()
    assert all(f"## {part.title}" in page for part in PARTS.values())
    return content


def rows_of(results: dict, part: str, table: int = 0) -> list[dict]:
    return results["parts"][part]["tables"][table]["rows"]


@pytest.mark.slow
@pytest.mark.xdist_group("gpu_check")
def test_every_part_passes(results):
    assert results["status"] == "passed"
    assert list(results["parts"]) == list(PARTS)
    assert {part["status"] for part in results["parts"].values()} == {"passed"}
    left_out = {name for part in results["parts"].values() for name in part["left_out"]}
    assert all("no GPU" in name for name in left_out), left_out


@pytest.mark.slow
@pytest.mark.xdist_group("gpu_check")
def test_every_model_is_in_the_tables(results):
    everything = {(variant.name, variant.form) for variant in VARIANTS}
    assert {name for name, _ in everything} == set(MODELS)
    for part in ("precisions", "smallest_slides", "training_steps", "kernels", "larger_slides"):
        assert {(row["model"], row["form"]) for row in rows_of(results, part)} >= everything, part
    steps = rows_of(results, "training_steps")
    counts = Counter(row["precision"] for row in steps if row["model"] in MODELS)
    assert counts == dict.fromkeys(("fp32", "tf32", "bf16", "fp16"), len(everything))
    assert {row["model"] for row in steps} > {"mico, plain path", "matrix products alone"}
    assert all(row["plain / this"] > 0 for row in steps if row["model"] == "mico")
    assert [row["task"] for row in rows_of(results, "compiled")] == ["prediction", "training step"]
    assert len(rows_of(results, "released_vectors")) == 4


@pytest.mark.slow
@pytest.mark.xdist_group("gpu_check")
def test_the_seconds_of_the_parts_of_an_epoch_add_up(results):
    for row in rows_of(results, "fold"):
        parts = [row[f"{part} (s)"] for part in ("reading", "forward", "backward", "optimizer", "the rest")]
        assert sum(parts) == pytest.approx(row["epoch, waiting for the device at each part (s)"])


@pytest.mark.slow
def test_what_a_machine_lacks_is_left_out_by_name(tmp_path):
    """The same process without the libraries, in the parts that need one of them."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({LACKING!r}))\n"
        "from benchmarks.gpu_check.__main__ import get_args_parser, main\n"
        "sys.exit(main(get_args_parser().parse_args(sys.argv[1:])))\n"
    )
    arguments = ["--device", "cpu", "--small", "--out", str(tmp_path), "--parts", "precisions", "fold", "clustering"]
    ended = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    parts = json.loads((tmp_path / JSON).read_text())["parts"]
    assert parts["clustering"]["left_out"] == ["k-means: faiss is not installed"]
    assert [name.split(":")[0] for name in parts["precisions"]["left_out"]] == ["transmil"]


def test_a_part_that_raises_is_reported_and_the_others_run(tmp_path, monkeypatch, capsys):
    def broken(check, report):
        report.table("Numbers", "what", "value").add("before", 1.5)
        raise ZeroDivisionError("nothing is left")

    def sound(check, report):
        report.table("Numbers", "what", "value").add("after", float("nan"))

    monkeypatch.setattr(command, "PARTS", {"broken": Part("Broken", 5, broken), "sound": Part("Sound", 5, sound)})
    assert command.main(parsed("--out", tmp_path)) == 1
    content = json.loads((tmp_path / JSON).read_text())
    assert content["status"] == "failed"
    assert [part["status"] for part in content["parts"].values()] == ["failed", "passed"]
    (failure,) = content["parts"]["broken"]["failures"]
    assert (failure["kind"], failure["message"]) == ("ZeroDivisionError", "nothing is left")
    assert 'raise ZeroDivisionError("nothing is left")' in failure["traceback"]
    assert content["parts"]["broken"]["tables"][0]["rows"] == [{"what": "before", "value": 1.5}]
    assert content["parts"]["sound"]["tables"][0]["rows"] == [{"what": "after", "value": "nan"}]
    page = (tmp_path / PAGE).read_text()
    assert "**Failed:** Broken: `ZeroDivisionError`" in page
    assert "nothing is left" in page
    assert "failed: Broken" in capsys.readouterr().out


def test_a_device_that_is_not_there_is_named(capsys):
    arguments = command.get_args_parser().parse_args(["--device", "cuda:77"])
    assert command.main(arguments) == 2
    assert "gpu_check: error: got --device cuda:77" in capsys.readouterr().err


def test_without_time_the_rest_is_left_out(tmp_path):
    assert command.main(parsed("--out", tmp_path, "--budget", -1, "--parts", "small_bags", "larger_slides")) == 0
    parts = json.loads((tmp_path / JSON).read_text())["parts"]
    assert parts["small_bags"]["tables"][0]["rows"] == []
    assert parts["small_bags"]["left_out"][0] == "plain path released, fp32, 1 in a batch: no time left"
    assert parts["larger_slides"]["left_out"] == [f"slides of {n} patches: no time left" for n in SMALL.slides[1:]]


def test_too_little_memory_is_a_result():
    report = report_of()
    for error in (torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUBLAS_STATUS_ALLOC_FAILED")):
        with report.attempt("a call"):
            raise error
    assert report.notes == ["a call: out of memory"] * 2
    assert report.status == "passed"


@pytest.mark.parametrize("task", CALLS)
def test_a_slide_too_large_for_the_memory_has_a_row(monkeypatch, task: str):
    def too_large(self: torch.nn.Module, *arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 7.63 GiB. GPU 0 has ...")

    check, report = Check(torch.device("cpu"), SMALL, deadline_after(60)), report_of()
    monkeypatch.setattr(BagModel, "forward", too_large)
    job = slide_sizes.Job(next(v for v in VARIANTS if v.name == "transmil"), "fp32", task)
    table = report.table("Slides", *(str(i) for i in range(11)))
    with report.attempt("a row"):
        slide_sizes.add_row(check, table, job, case_of([random_slide(60, SMALL.dim, check.device)]))
    assert [row[-1] for row in table.rows] == ["out of memory"]
    assert not report.failures


def test_a_call_that_would_take_too_long_is_foreseen():
    check = Check(torch.device("cpu"), SMALL, deadline_after(9))
    assert check.expected(("mico",), 100) == 0
    check.remember(("mico",), 10, 0.5)
    check.remember(("mico",), 100, 3.0)
    assert check.expected(("mico",), 1000) == 30
    assert check.expected(("mico",), 100) == 5


@pytest.mark.parametrize(("seconds", "calls"), [(0.0, 4), (5.0, 1), (2.0, 2)])
def test_slow_calls_are_timed_once(monkeypatch, seconds: float, calls: int):
    made = []
    monkeypatch.setattr(measuring, "seconds_of", lambda call, device: made.append(call) or seconds or 0.01)
    timing = measuring.timed(lambda: None, torch.device("cpu"), seconds=0.0, repeats=9)
    assert len(made) == calls
    assert timing.median == (seconds or 0.01)
    assert timing.peak is None


def test_tf32_is_as_it_was_afterwards():
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with measuring.tf32(True, False):
        assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (True, False)
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before


def test_a_trace_is_counted():
    events = [
        {"cat": "kernel", "name": "gemm", "dur": 1500.0},
        {"cat": "kernel", "name": "add", "dur": 500.0},
        {"cat": "gpu_memcpy", "name": "Memcpy DtoH (Device -> Pageable)", "dur": 1.0},
        {"cat": "gpu_memcpy", "name": "Memcpy HtoD (Pinned -> Device)", "dur": 1.0},
        {"cat": "gpu_memset", "name": "Memset (Device)"},
        {"cat": "cuda_runtime", "name": "cudaStreamSynchronize"},
        {"cat": "cuda_runtime", "name": "cudaDeviceSynchronize"},
        {"cat": "cpu_op", "name": "aten::add"},
        {"ph": "M", "name": "process_name"},
    ]
    assert Trace.of(events) == Trace(2, 2.0, to_host=1, to_device=1, on_device=0, fills=1, waits=1, operations=1)


def test_lines_that_wait_are_counted(monkeypatch):
    modes = []
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: 0)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)

    def call():
        for _ in range(2):
            warnings.warn("called a synchronizing CUDA operation (Triggered internally)", stacklevel=1)
        warnings.warn("something else", stacklevel=1)

    (counted,) = synchronising(call).items()
    assert counted[0].startswith("tests/benchmarks/test_gpu_check.py:")
    assert counted[1] == 2
    assert modes == ["warn", 0]


def test_memory_of_a_gpu_is_read(monkeypatch):
    """With functions of torch.cuda that are there, and called for the device."""
    device, called = torch.device("cuda:1"), []
    values = {"max_memory_allocated": 5_000_000_000, "max_memory_reserved": 6_000_000_000}
    for name in ("synchronize", "reset_peak_memory_stats", "empty_cache", *values):
        monkeypatch.setattr(
            torch.cuda, name, lambda *given, name=name: called.append((name, *given)) or values.get(name)
        )
    timing = measuring.timed(lambda: None, device, seconds=0.0, repeats=1)
    measuring.free(device)
    assert (timing.peak_gb, timing.reserved_gb) == (5.0, 6.0)
    assert called[0] == ("reset_peak_memory_stats", device)
    assert called.count(("synchronize", device)) == 2 * 4 + 1
    assert called[-1] == ("empty_cache",)


def test_differences_are_relative():
    expected = Evaluated(torch.tensor([[1.0, -4.0]]), torch.tensor([[0, 1], [2, 3]]), {"a": torch.tensor([3.0])}, 1)
    got = Evaluated(torch.tensor([[1.0, -3.0]]), torch.tensor([[0, 1], [2, 2]]), {"a": torch.tensor([4.5])}, 1)
    assert differences(got, expected) == (0.25, 0.5, "a", 0.5, 50.0)


def test_a_compilation_that_does_not_end_is_given_up(monkeypatch, tmp_path):
    """What it printed before counts."""
    script = tmp_path / "endless.py"
    script.write_text('import time\nprint(\'{"task": "prediction", "with": 2}\', flush=True)\ntime.sleep(600)\n')
    interpreter = tmp_path / "python"
    interpreter.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    interpreter.chmod(0o755)
    monkeypatch.setattr(compiled.sys, "executable", str(interpreter))
    started = time.monotonic()
    answers, how = compiled.measured({}, 1.5)
    assert time.monotonic() - started < 30
    assert answers == {"prediction": {"task": "prediction", "with": 2}}
    assert how == f"given up after {1.5:.0f} s"


def test_the_script_passes_arguments_on():
    environment = {**os.environ, "COLUMNS": "200"}
    ended = subprocess.run(
        ["bash", "script/check_gpu.sh", "--help"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0
    assert all(f"--{option}" in ended.stdout for option in ("device", "out", "small", "budget", "parts"))
