"""The shape of the house, read from the source: islands, nothing at import, no pickles, no machine paths."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ISLANDS = ("models", "datasets", "utils")
COMMANDS = ("main.py", "run_clustering.py")
FOLDERS = (*ISLANDS, "script")
SOURCES = [*(ROOT / name for name in COMMANDS), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
by_name = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())


def imported_modules(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_there_is_something_to_read():
    assert len(SOURCES) > 30


@by_name
def test_no_island_imports_another(path: Path):
    island = path.relative_to(ROOT).parts[0]
    others = {"models", "datasets", "utils", "script", "main", "run_clustering"} - {island}
    if island in ISLANDS:
        assert not imported_modules(ast.parse(path.read_text())) & others


@by_name
def test_nothing_happens_at_import(path: Path):
    """A module's top level holds definitions, constants, imports, and the call of `main` when it is the command."""
    allowed = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    for node in ast.parse(path.read_text()).body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_command = isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)
        assert isinstance(node, allowed) or is_docstring or is_command, ast.unparse(node)


@by_name
def test_every_torch_load_is_of_weights_only(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            assert {"weights_only": "True"}.items() <= {k.arg: ast.unparse(k.value) for k in node.keywords}.items()


@by_name
def test_numpy_never_opens_pickles(path: Path):
    assert "allow_pickle" not in path.read_text()


def test_no_committed_file_names_a_place_of_one_machine():
    kinds = ("*.py", "*.sh", "*.md", "*.toml", "*.txt", "*.cff")
    files = [path for kind in kinds for path in ROOT.rglob(kind) if ".venv" not in path.parts]
    assert len(files) > 50
    for path in files:
        if path.relative_to(ROOT).parts[0] in ("results", "anchors", "demo"):
            continue
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users|mnt)/", text), path
