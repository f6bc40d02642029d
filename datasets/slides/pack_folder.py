"""The files of a pack; nothing here is slow to import, since every folder of features is asked whether it is a pack."""

from __future__ import annotations

from pathlib import Path

TABLE = "pack.csv"
SLIDES = "slides.bin"
PARTIAL = ".slides.bin.partial"  # of a pack that is being written


def is_pack(folder: Path) -> bool:
    """Whether a folder is a pack, or is becoming one."""
    return (folder / TABLE).is_file() or (folder / PARTIAL).is_file()
