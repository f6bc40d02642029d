"""Memory that is freed stays with the process, so that the next step finds it without page faults."""

from __future__ import annotations

import ctypes
import sys

# Options of glibc's mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MMAP_FROM = 2**30


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
