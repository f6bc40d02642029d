"""The memory of this process: keeping what was freed, and how much more it may take."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.errors import MachineError, UserError

# Options of glibc's mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MMAP_FROM = 2**30
# What errors of torch say where memory ran out, also while its libraries are loaded.
_MEMORY_WORDS = (
    *("can't allocate memory", "Cannot allocate memory", "out of memory", "bad_alloc", "_STATUS_ALLOC_FAILED"),
    "failed to map segment",
)
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


def memory_error(error: BaseException, where: str = "") -> MachineError | None:
    """The sentence about an error that means that memory ran out, on the CPU or the GPU; None for any other error.

    Args:
        error: MemoryError, or what torch raises.
        where: what the memory was for.

    >>> print(memory_error(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ..."), "slide a"))
    slide a: not enough memory (CUDA out of memory. Tried to allocate 2.00 GiB): take less at once, or add some
    """
    text = str(error)
    if not isinstance(error, MemoryError) and not any(word in text for word in _MEMORY_WORDS):
        return None
    amount = re.search(r"tried to allocate (\d+) bytes", text)
    first_line = text.partition("\n")[0].partition(". GPU")[0]
    reason = f"{int(amount[1]) / 1e9:.1f} GB were asked for" if amount else first_line
    named = f"{where}: " if where else ""
    return MachineError(f"{named}not enough memory{f' ({reason})' if reason else ''}: take less at once, or add some")


@contextmanager
def memory_for(where: str) -> Iterator[None]:
    """Name what the memory was for, where it runs out in the block.

    Raises:
        MachineError: memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        told = memory_error(error, where)
        if told is None:
            raise
        raise told from error


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
