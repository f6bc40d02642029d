"""A map, which a report scales down."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from utils.report.pictures import read_picture

SUFFIX = ".png"
_MODES = ("RGB", "RGBA", "P", "L", "I;16")


def seeds(folder: Path) -> list[Path]:
    for mode in _MODES:
        image = Image.new(mode, (40, 30))
        image.putpixel((3, 4), 7 if mode in ("P", "L", "I;16") else (7,) * len(mode))
        image.save(folder / f"{mode.replace(';', '')}.png")
    return sorted(folder.glob("*.png"))


def read(path: Path) -> None:
    read_picture(path, alt="a", caption="b")
