"""A target: one reader of the program, with valid files to begin from. One module of `tests.fuzz.targets` each.

A module has `SUFFIX`, the ending of its files (or `NAME`, the name of its file where that matters), `seeds(folder)`,
which writes small valid files, and `read(path)`, which reads a file as the program does. It may have `prepare(folder)`,
which puts what a read needs beside the file, and `CHEAP = False` where one read takes more than
some milliseconds: the suite then only reads its seeds and its corpus.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.fuzz import targets

CORPUS = Path(__file__).parents[1] / "data" / "fuzz"


@dataclass(frozen=True)
class Target:
    """A reader under test."""

    name: str
    file_name: str
    seeds: Callable[[Path], list[Path]]
    read: Callable[[Path], None]
    prepare: Callable[[Path], None]
    cheap: bool

    def corpus(self) -> list[Path]:
        """The inputs that once were findings."""
        return sorted(path for path in (CORPUS / self.name).glob("*") if path.is_file())


def target_names() -> list[str]:
    """The names of all targets."""
    return sorted(module.name for module in pkgutil.iter_modules(targets.__path__) if not module.name.startswith("_"))


def module_of(name: str) -> str:
    """The module of a target."""
    return f"{targets.__name__}.{name}"


def load_target(name: str) -> Target:
    """The target of a name."""
    module = import_module(module_of(name))
    file_name = getattr(module, "NAME", None) or f"input{module.SUFFIX}"
    prepare = getattr(module, "prepare", lambda folder: None)
    return Target(name, file_name, module.seeds, module.read, prepare, getattr(module, "CHEAP", True))
