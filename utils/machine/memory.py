"""The memory of this process: keeping what was freed, and how much more it may take."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from utils.errors import UserError

# Options of glibc's mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MMAP_FROM = 2**30
# Folder of the limits, of a control group and those around it; file of the limit, of the use, and name in memory.stat
# of cached files, which count as used and yet can be had: version 2 and version 1 of control groups.
_LIMITS = (
    ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def keep_freed_memory() -> bool:
    """Ask the C library to keep freed memory, except blocks of 1 GiB or more; return whether it could be asked.

    By default glibc gives blocks above 32 MiB back to the kernel when they are freed, and takes new pages, each set to
    zero on first touch, for the next tensor: a training step of 10,000 patches took 0.64 to 0.95 s instead of 0.62 s
    (2 virtual CPU cores). Only Linux with glibc is asked; elsewhere, and on GPUs, torch's memory is not concerned.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    kept = library.mallopt(_M_MMAP_THRESHOLD, _MMAP_FROM) and library.mallopt(_M_TRIM_THRESHOLD, _MMAP_FROM)
    return bool(kept)


def free_memory(root: Path = Path("/")) -> int:
    """Bytes that the machine has available, or fewer where a container or a batch job is held to less (Linux).

    Args:
        root: where `proc` and `sys` lie.

    Raises:
        UserError: where the system does not tell.
    """
    try:
        available = _number_after(root / "proc/meminfo", "MemAvailable:") * 1024
    except OSError as error:
        raise UserError(
            f"cannot tell how much memory is free ({error.strerror or error}): give --cache_gb, what slides may take"
        ) from error
    return max(0, min([available, *_left_by_groups(root)]))


def _left_by_groups(root: Path) -> list[int]:
    left = []
    for group in _groups(root):
        for folder, limit_name, used_name, cached_name in _LIMITS:
            place = root / folder / group
            try:
                limit, used = (int((place / name).read_text()) for name in (limit_name, used_name))
                left.append(limit - used + _number_after(place / "memory.stat", cached_name))
            except (OSError, ValueError):  # no such group here, or "max": no limit
                continue
    return left


def _groups(root: Path) -> set[Path]:
    """The control groups of this process and all around them, relative to the folder of the limits."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return set()
    own = {Path(line.split(":", 2)[2].lstrip("/")) for line in lines if line.count(":") >= 2}
    return {group for path in own for group in (path, *path.parents)}


def _number_after(file: Path, word: str) -> int:
    for line in file.read_text().splitlines():
        if line.split()[:1] == [word]:
            return int(line.split()[1])
    raise OSError(f"no {word} in {file}")
