"""The folder of a run: where its folds are, what it holds, and removing that."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from utils.files.locks import lock_path

RECORD = "run.json"


def fold_dir(run_dir: Path, fold: int) -> Path:
    """`RUN_DIR/fold{k}`."""
    return run_dir / f"fold{fold}"


def locked_folds(names: Iterable[str]) -> set[int]:
    """The folds of a run whose locks are among these names of files in its folder.

    >>> locked_folds([".fold3.lock", "fold4", ".run.json.lock"])
    {3}
    """
    found = set()
    for name in names:
        number = name.removeprefix(".fold").removesuffix(".lock")
        if number.isascii() and number.isdigit() and name == lock_path(Path(f"fold{number}")).name:
            found.add(int(number))
    return found


def fold_files(run_dir: Path, name: str) -> dict[int, Path]:
    """{fold: run_dir/fold{k}/name} of the folds that have this file, in numerical order."""
    found = {}
    for path in run_dir.glob(f"fold*/{name}"):
        match = re.fullmatch(r"fold(\d+)", path.parent.name)
        if match:
            found[int(match.group(1))] = path
    return dict(sorted(found.items()))


def describe_results(run_dir: Path) -> str:
    """What a folder holds of an earlier run, in words; empty if nothing."""
    states = [
        f"{path.name} ({'finished' if (path / 'metrics.json').exists() else 'begun'})"
        for path in result_folds(run_dir).values()
    ]
    if not states and (run_dir / RECORD).exists():
        return RECORD
    return ", ".join(states)


def remove_results(run_dir: Path, folds: Sequence[int]) -> None:
    """Remove what runs write of these folds and of all folds together, and nothing else that may lie there."""
    there = result_folds(run_dir)
    for k in folds:
        if k in there:
            _remove_folder(there.pop(k))
    remove_tables(run_dir)
    if not there:
        (run_dir / RECORD).unlink(missing_ok=True)


def remove_tables(run_dir: Path) -> None:
    """Remove what is made from the predictions of all folds."""
    for name in ("summary.csv", "summary.json", "summary.md", "report.html"):
        (run_dir / name).unlink(missing_ok=True)
    for name in ("figures", "clinical"):
        _remove_folder(run_dir / name)


def _remove_folder(path: Path) -> None:
    if path.is_symlink():
        path.unlink()  # a folder on another disk is not ours to empty
    elif path.is_dir():
        shutil.rmtree(path)


def result_folds(run_dir: Path) -> dict[int, Path]:
    """{fold: run_dir/fold{k}} of the folders of folds that are there, in numerical order."""
    found = [path for path in run_dir.glob("fold*") if path.is_dir() and re.fullmatch(r"fold[0-9]+", path.name)]
    return dict(sorted((int(path.name.removeprefix("fold")), path) for path in found))
