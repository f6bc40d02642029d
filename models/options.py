"""The options of a model, read from the source of its class: its keyword arguments, and their lines in its docstring.

Nothing is imported for it, so that a command knows every model's options, and answers `--help` and mistakes in them,
before torch is loaded.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_KINDS: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool}
_ROOT = Path(__file__).resolve().parents[1]
# The smallest and the largest value of numeric options, which have one meaning in all models. The upper ends are far
# beyond what is useful: they keep a slip of the keyboard from asking for terabytes.
LIMITS: dict[str, tuple[float, float]] = {
    "n_anchors": (1, 2**20),
    "n_stages": (1, 20),
    "embed_dim": (1, 2**16),
    "dropout": (0, 0.99),
    "instance_weight": (0, 1),
    "recompute_above": (0, 10**9),
}


@dataclass(frozen=True)
class ModelOption:
    """A keyword argument of a model's class.

    Attributes:
        name: of the argument.
        kind: `int`, `float`, `str` or `bool`; of each item where there are several.
        default: its default.
        help: what the docstring of the class says of it, under `Args`.
        choices: the values of a `Literal`; None where any value of the kind goes.
        many: whether it takes a sequence of values.
        limits: the smallest and the largest value of a number; None where there are none, or not the same always.
    """

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] | None = None
    many: bool = False
    limits: tuple[float, float] | None = None

    def check(self, value: Any) -> None:
        """Check the number that a model is to be built with; texts are compared with the choices by the model.

        Raises:
            ValueError: for a value of another type, NaN or infinity, or one beyond the limits.
        """
        if self.many or self.kind not in (int, float):
            return
        is_number = isinstance(value, int if self.kind is int else int | float) and not isinstance(value, bool)
        low, high = self.limits or (-math.inf, math.inf)
        if not is_number or not math.isfinite(value) or not low <= value <= high:
            of_kind = "a whole number" if self.kind is int else "a finite number"
            limits = "" if self.limits is None else f" from {low} to {high}"
            raise ValueError(f"got {self.name} {value}, expected {of_kind}{limits}")


@cache
def read_options(qualified_name: str) -> dict[str, ModelOption]:
    """The options of a class such as `models.mico.MiCo`: keyword arguments of `__init__` that have a default.

    Supported annotations are `int`, `float`, `str`, `bool`, `Literal["a", "b"]`, and `Sequence` of one of these.

    Raises:
        TypeError: for another annotation, or an argument that the docstring does not describe.
    """
    module, class_name = qualified_name.rsplit(".", 1)
    tree = ast.parse(_ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == class_name)
    init = next(node for node in body.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    described = _described(ast.get_docstring(body) or "")
    options = {}
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        if default is None:  # dim_in and n_outputs, which every model needs
            continue
        name = argument.arg
        if name not in described:
            raise TypeError(f"{qualified_name}: its docstring says nothing of {name} under Args, expected a line")
        kind, choices, many = _type_of(qualified_name, name, argument.annotation)
        limits = LIMITS.get(name) if kind in (int, float) else None
        options[name] = ModelOption(name, kind, ast.literal_eval(default), described[name], choices, many, limits)
    return options


def _type_of(owner: str, name: str, hint: ast.expr | None) -> tuple[type, tuple[str, ...] | None, bool]:
    """Kind, choices, and whether there are several, of an annotation."""
    outer, inner = (ast.unparse(hint.value), hint.slice) if isinstance(hint, ast.Subscript) else ("", hint)
    if outer == "Sequence":
        kind, choices, _ = _type_of(owner, name, inner)
        return kind, choices, True
    if outer == "Literal" and inner is not None:
        values = ast.literal_eval(inner)
        return str, values if isinstance(values, tuple) else (values,), False
    if isinstance(inner, ast.Name) and inner.id in _KINDS:
        return _KINDS[inner.id], None, False
    found = "nothing" if hint is None else ast.unparse(hint)
    raise TypeError(f"{owner}: {name} is annotated with {found}, expected int, float, str, bool, Literal or Sequence")


def _described(docstring: str) -> dict[str, str]:
    """{argument: what the section Args says of it}, each on one line."""
    section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)*)", docstring, re.MULTILINE)
    if section is None:
        return {}
    entries = re.findall(r"^ {4}(\w+): ((?:.*)(?:\n {8}.*)*)", section[1], re.MULTILINE)
    return {name: " ".join(text.split()).rstrip(".") for name, text in entries}
