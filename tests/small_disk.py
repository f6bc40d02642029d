"""A disk that gets full, for tests: a small tmpfs where this process may mount one, and a limit on file sizes."""

from __future__ import annotations

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def small_files(n_bytes: int) -> Iterator[None]:
    """No file that this process writes may get larger than `n_bytes` in the block, as under a quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class SmallDisk:
    """A file system of its own at `place`.

    Attributes:
        is_mounted: False where no file system can be mounted here; `place` is then a folder as any other.
    """

    def __init__(self, place: Path, n_bytes: int) -> None:
        self.place = place
        place.mkdir()
        self.is_mounted = self._mount("-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs")

    def make(self, option: str) -> None:
        """Mount it again with an option: `size=50M`, `ro`."""
        assert self._mount("-o", f"remount,{option}")

    def end(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", self.place], check=True)

    def _mount(self, *options: str) -> bool:
        try:
            return subprocess.run(["mount", *options, self.place], capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            return False


@contextlib.contextmanager
def small_disk(place: Path, n_bytes: int) -> Iterator[SmallDisk]:
    """A disk of `n_bytes` at `place` in the block."""
    disk = SmallDisk(place, n_bytes)
    try:
        yield disk
    finally:
        disk.end()
