from __future__ import annotations

import subprocess
import sys

import pytest

from utils.machine import allocator

FAULTS = """
import resource, torch
from utils.machine.allocator import keep_freed_memory
{call}
def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(16_000_000)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // times
faults(10)  # until the heap has found its size
print(faults(10))
"""


def faults_of_a_tensor(call: str) -> int:
    """Page faults of making a tensor of 64 MB when one of the same size was just freed."""
    ended = subprocess.run([sys.executable, "-c", FAULTS.format(call=call)], capture_output=True, text=True, check=True)
    return int(ended.stdout)


def test_freed_memory_is_found_again_without_page_faults():
    assert faults_of_a_tensor("keep_freed_memory()") < 1000 < faults_of_a_tensor("")


def test_elsewhere_nothing_is_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert allocator.keep_freed_memory() is False
