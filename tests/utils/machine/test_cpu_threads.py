from __future__ import annotations

import pytest

from utils.machine import cpu_threads
from utils.machine.cpu_threads import THREADS, given_threads, threads_for


@pytest.mark.parametrize(
    ("patches", "width", "cores", "threads"),
    [
        (60, 512, 2, 1),  # the demonstration's tables
        (511, 512, 2, 1),
        (512, 512, 2, 2),
        (10_000, 512, 2, 2),
        (10_000, 512, 1, 1),
        (1_000, 512, 64, 3),  # 256 patches each, and a rest
        (10_000, 512, 64, 39),
        (2_000, 64, 2, 1),
        (4_096, 64, 2, 2),
        (0, 512, 2, 1),
    ],
)
def test_each_thread_has_enough_to_do_and_a_core(patches: int, width: int, cores: int, threads: int):
    assert threads_for(patches, width, cores) == threads


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        (None, None),
        ("", None),
        ("3", 3),
        (" 08 ", 8),
        ("4,2", 4),  # levels of nesting
        ("0", None),  # what libgomp does not take either
        ("-1", None),
        ("two", None),
        ("2 or so", None),
    ],
)
def test_what_the_environment_gives(monkeypatch: pytest.MonkeyPatch, environment: str | None, threads: int | None):
    monkeypatch.delenv(THREADS, raising=False)
    if environment is not None:
        monkeypatch.setenv(THREADS, environment)
    assert given_threads(None) == threads
    assert given_threads(5) == 5


@pytest.mark.parametrize(("of_job", "expected"), [("3", 3), ("64", 8), ("", 8), ("0", 8), ("many", 8)])
def test_a_job_of_slurm_has_its_own_cores(monkeypatch: pytest.MonkeyPatch, of_job: str, expected: int):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", of_job)
    assert cpu_threads.cores() == expected
