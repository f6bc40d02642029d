"""The threads of a run: from its bags and the cores of a piece, the same for all of its folds and calls."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch

from tests.utils.pipeline.conftest import inputs_of
from tests.utils.pipeline.test_record import settings_of
from utils.pipeline import threads
from utils.pipeline.inputs import AnchorSource
from utils.pipeline.threads import Threads, compute_in_threads_of, threads_of_run

CPU, GPU = torch.device("cpu"), torch.device("cuda")
WIDE = ("--embed_dim", "32768")  # with 18 patches on average, work for four threads


@pytest.fixture(autouse=True)
def threads_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def inputs(cls_cohort):
    return inputs_of(cls_cohort, "cls", AnchorSource("random", 64, None))


@pytest.mark.parametrize(
    ("options", "device", "cores", "at_a_time", "number"),
    [
        ((), CPU, 2, None, 1),
        (WIDE, CPU, 2, None, 2),
        (WIDE, CPU, 64, None, 4),
        (WIDE, CPU, 6, 2, 3),  # pieces share the cores
        (WIDE, CPU, 2, 3, 1),
        ((*WIDE, "--max_patches", "13"), CPU, 64, None, 3),
        ((*WIDE, "--batch_size", "2"), CPU, 64, None, 8),
        ((*WIDE, "--threads", "auto"), CPU, 2, None, 2),
        (("--threads", "3"), CPU, 2, None, 3),
        (WIDE, GPU, 64, None, 1),
        (("--threads", "3"), GPU, 2, None, 3),
    ],
)
def test_the_number_that_a_run_is_begun_with(
    inputs, tmp_path, monkeypatch, options: tuple[str, ...], device: torch.device, cores: int, at_a_time, number: int
):
    monkeypatch.setattr(threads, "cores", lambda: cores)
    assert threads_of_run(settings_of(tmp_path, *options), inputs, device, at_a_time).number == number


def test_every_fold_counts_the_same_bags(inputs, tmp_path, monkeypatch):
    """So that pieces of one run agree, whichever folds a call is of."""
    monkeypatch.setattr(threads, "cores", lambda: 2)
    said = {str(threads_of_run(settings_of(tmp_path), each, CPU, None)) for each in (inputs, inputs[:1], inputs[1:])}
    assert said == {"1 thread: batches of 18 patches on average, 2 cores"}


def record(run_dir: Path, **values: int) -> None:
    run_dir.mkdir(parents=True)
    known = {"task": "cls", "dataset": "D", "model": "mico", "formulation": "released"}
    (run_dir / "run.json").write_text(json.dumps({**known, **values}))


@pytest.mark.parametrize(
    ("recorded", "given", "chosen", "number", "said"),
    [
        (2, None, 2, 2, "2 threads: why"),
        (2, None, 1, 2, "2 threads: as the run was begun with"),
        (2, None, None, 2, "2 threads: as the run was begun with"),
        (2, 2, 2, 2, "2 threads: as --threads or OMP_NUM_THREADS says"),
        (2, 1, 1, 1, "1 thread: as --threads or OMP_NUM_THREADS says"),
        (None, None, 3, 3, "3 threads: why"),  # a run of an earlier version of this code
    ],
)
def test_a_run_keeps_its_number_unless_told_otherwise(
    tmp_path, caplog, recorded: int | None, given: int | None, chosen: int | None, number: int, said: str
):
    settings = settings_of(tmp_path, *([] if given is None else ["--threads", str(given)]))
    record(settings.run_dir, **({} if recorded is None else {"threads": recorded}))
    with caplog.at_level(logging.INFO, "main"):
        compute_in_threads_of(settings, None if chosen is None else Threads(chosen, "why"))
    assert torch.get_num_threads() == number
    warning = "warning: the run was begun with 2 threads, and goes on with 1: last digits of predictions may differ"
    assert caplog.messages == ([warning] if (recorded, given) == (2, 1) else []) + [said]
