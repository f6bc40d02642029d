from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from utils.errors import UserError
from utils.machine.memory import free_memory, keep_freed_memory

FAULTS = """
import resource, torch
from utils.machine.memory import keep_freed_memory
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


@pytest.mark.slow
def test_freed_memory_is_found_again_without_page_faults():
    assert faults_of_a_tensor("keep_freed_memory()") < 1000 < faults_of_a_tensor("")


def test_elsewhere_nothing_is_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False


def system(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": "MemTotal: 4000 kB\nMemAvailable:    1000 kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_this_machine_has_some():
    assert free_memory() > 2**20


def test_a_machine_without_groups_has_what_is_available(tmp_path):
    assert free_memory(system(tmp_path, {})) == 1_024_000


def test_a_group_of_version_2_or_one_around_it_may_have_less(tmp_path):
    group = "sys/fs/cgroup/batch/job"
    files = {
        "proc/self/cgroup": "0::/batch/job\n",
        f"{group}/memory.max": "max\n",
        f"{group}/memory.current": "400\n",
        f"{group}/memory.stat": "anon 100\ninactive_file 50\n",
        "sys/fs/cgroup/batch/memory.max": "900\n",
        "sys/fs/cgroup/batch/memory.current": "500\n",
        "sys/fs/cgroup/batch/memory.stat": "anon 100\ninactive_file 60\n",
    }
    assert free_memory(system(tmp_path, files)) == 900 - 500 + 60
    assert free_memory(system(tmp_path, {f"{group}/memory.max": "401\n"})) == 51
    assert free_memory(system(tmp_path, {f"{group}/memory.max": "300\n"})) == 0
    assert free_memory(system(tmp_path, {f"{group}/memory.max": "9000000\n", "proc/self/cgroup": "\n"})) == 1_024_000


def test_a_group_of_version_1_has_its_own_names(tmp_path):
    group = "sys/fs/cgroup/memory/job"
    files = {
        "proc/self/cgroup": "4:memory:/job\n1:cpu:/\n0::/\n",
        f"{group}/memory.limit_in_bytes": "700\n",
        f"{group}/memory.usage_in_bytes": "300\n",
        f"{group}/memory.stat": "cache 5\ntotal_inactive_file 8\n",
    }
    assert free_memory(system(tmp_path, files)) == 408


def test_a_system_that_does_not_tell_asks_for_the_option(tmp_path):
    with pytest.raises(UserError, match=r"cannot tell how much memory is free .*give --cache_gb"):
        free_memory(tmp_path)
    with pytest.raises(UserError, match="no MemAvailable: in"):
        free_memory(system(tmp_path, {"proc/meminfo": "MemTotal: 5 kB\n"}))
