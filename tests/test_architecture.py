"""The shape of the repository, read from the source: rooms, the rule for imports, nothing at import, no pickles."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The one rule: a file imports from rooms of a lower rank, or from its own room. `anchors` ... `pipeline` are folders of
# `utils`. `models` and `datasets` meet in `pipeline` and above.
RANKS = (
    ("errors",),
    ("files", "machine", "command", "models"),
    ("anchors", "runs"),
    ("statistics",),
    ("datasets",),
    ("training",),
    ("tables", "figures"),
    ("explain", "paper", "clinical"),
    ("report",),
    ("pipeline",),
    ("launch",),
    ("main", "run_clustering"),
    ("script", "benchmarks"),
)
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}
# Modules that only re-export names for scripts outside of this repository; nothing in it imports them.
COMPATIBILITY = ("utils/metrics.py", "utils/kmeans.py", "datasets/features.py")
FOLDERS = ("models", "datasets", "utils", "script", "benchmarks")
SOURCES = [
    *(ROOT / name for name in ("main.py", "run_clustering.py")),
    *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))),
]
NAMES = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in SOURCES}
by_name = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())


def room_of(module: str) -> str:
    """`utils.files.atomic` is in `files`, `utils.errors` in `errors`, everything of `datasets` in `datasets`."""
    first, *rest = module.split(".")
    return rest[0] if first == "utils" and rest else first


def imports_of(path: Path) -> set[str]:
    """The modules of this repository that a file imports, wherever in the file."""
    modules, found = set(NAMES.values()), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            names = [f"{module}.{a.name}" if f"{module}.{a.name}" in modules else module for a in node.names]
        else:
            continue
        found |= {name for name in names if name in modules}
    return found


def is_compatibility(path: Path) -> bool:
    return path.relative_to(ROOT).as_posix() in COMPATIBILITY


def test_there_is_something_to_read():
    assert len(SOURCES) > 200
    assert imports_of(ROOT / "utils/errors.py") == set()
    assert "utils.machine.process" in imports_of(ROOT / "main.py")


@by_name
def test_a_file_imports_from_rooms_of_lower_rank_or_its_own(path: Path):
    if is_compatibility(path) or path == ROOT / "utils/__init__.py":
        return
    own = room_of(NAMES[path])
    assert own in RANK, f"the room {own} has no rank: give it one in RANKS"
    for module in imports_of(path):
        other = room_of(module)
        assert other == own or RANK[other] < RANK[own], f"{NAMES[path]} imports {module}"


@by_name
def test_models_import_nothing_else_and_are_known_in_the_pipeline(path: Path):
    own, imported = room_of(NAMES[path]), {room_of(module) for module in imports_of(path)}
    if own == "models":
        assert imported <= {"models"}
    elif RANK.get(own, 0) < RANK["pipeline"]:
        assert "models" not in imported


@by_name
def test_no_file_of_the_repository_imports_what_is_for_others(path: Path):
    for_others = {module.removesuffix(".py").replace("/", ".") for module in COMPATIBILITY}
    assert not imports_of(path) & for_others


def test_no_circles():
    graph = {NAMES[path]: imports_of(path) - {NAMES[path]} for path in SOURCES}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"imports go in a circle: {' -> '.join(error.args[1])}")


@by_name
def test_nothing_happens_at_import(path: Path):
    """A module's top level holds definitions, constants, imports, and the call of `main` when it is the command."""
    allowed = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_command = isinstance(node, ast.If) and ast.unparse(node.test) in ("__name__ == '__main__'", "TYPE_CHECKING")
        assert isinstance(node, allowed) or is_docstring or is_command, ast.unparse(node)


@by_name
def test_every_torch_load_is_of_weights_only(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            assert {"weights_only": "True"}.items() <= {k.arg: ast.unparse(k.value) for k in node.keywords}.items()


@by_name
def test_numpy_never_opens_pickles(path: Path):
    assert "allow_pickle" not in path.read_text(encoding="utf-8")


def test_no_committed_file_names_a_place_of_one_machine():
    kinds = ("*.py", "*.sh", "*.md", "*.toml", "*.txt", "*.cff", "*.yaml", "*.svg")
    files = [path for kind in kinds for path in ROOT.rglob(kind) if ".venv" not in path.parts]
    assert len(files) > 50
    for path in files:
        if path.relative_to(ROOT).parts[0] in ("results", "anchors", "demo"):
            continue
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users|mnt)/", text), path
