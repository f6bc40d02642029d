from __future__ import annotations

from pathlib import Path

import pytest

from utils.errors import UserError
from utils.machine.free_memory import free_memory


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
