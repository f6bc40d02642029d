"""How much memory a run may still take."""

from __future__ import annotations

from pathlib import Path

from utils.errors import UserError

# Folder of the limits, of a control group and those around it; file of the limit, of the use, and name in memory.stat
# of cached files, which count as used and yet can be had: version 2 and version 1 of control groups.
_LIMITS = (
    ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


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
