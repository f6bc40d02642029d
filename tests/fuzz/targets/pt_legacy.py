"""The .pt feature file of torch.save before its zip format."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.targets._slides import read_in_each_way
from tests.fuzz.targets.pt import CONTENTS, save

SUFFIX = ".pt"


def seeds(folder: Path) -> list[Path]:
    # torch cannot read back the unsigned coordinates of "tied".
    return [save(content, folder / f"{name}.pt", as_zip=False) for name, content in CONTENTS.items() if name != "tied"]


read = read_in_each_way
