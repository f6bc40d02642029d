"""Where a number comes from: versions, the git commit, and digests of the files that went in."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torch-geometric", "torch-scatter", "numpy", "pandas", "scikit-learn", "scikit-survival", "h5py")
FAISS = ("faiss-cpu", "faiss-gpu")


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on; those not installed are left out."""
    versions = {"python": platform.python_version()}
    for name in (*PACKAGES, *FAISS):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_commit() -> dict[str, Any] | None:
    """The commit of this checkout and whether files differ from it; None outside a git checkout."""
    root = Path(__file__).resolve().parents[2]
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None or _git(root, "rev-parse", "--show-toplevel") != str(root):
        return None
    return {"commit": commit, "modified": bool(_git(root, "status", "--porcelain", "--untracked-files=no"))}


def digest(path: Path) -> str:
    """SHA-256 of a file; of a directory, that of its files' names and digests in the order of their names.

    Hidden files are left out: those that are being written, and what systems leave in folders.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        lines = [f"{digest(file)}  {file.name}\n" for file in files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        state = hashlib.sha256()
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def digest_of(values: Mapping[str, str]) -> str:
    """SHA-256 of names and values, in the order of the names."""
    return hashlib.sha256("".join(f"{name} {values[name]}\n" for name in sorted(values)).encode()).hexdigest()


def changed_values(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The names that are in both and have another value.

    >>> changed_values({"a": "1", "b": "2"}, {"b": "3", "c": "4"})
    ['b']
    """
    return [name for name, value in old.items() if name in new and new[name] != value]


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None  # git is not installed
    return done.stdout.strip() if done.returncode == 0 else None
