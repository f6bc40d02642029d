"""The page of guarantees: every test that it names is there, and every command that it gives can be parsed."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
COMMANDS = re.findall(r"^python -m (\S+) ?(.*)$", PAGE, re.MULTILINE)


def names_of_tests(path: Path) -> set[str]:
    """The names of the tests in a file, without importing it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_row_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and not line.startswith(("|---", "| fault"))]
    promises = [row for row in rows if row.count("|") == 5]
    assert len(promises) >= 15
    assert [row for row in promises if "`tests/" not in row.rsplit("|", 2)[1]] == []


@pytest.mark.parametrize(("file", "test"), NAMED, ids="::".join)
def test_every_named_test_exists(file: str, test: str):
    assert test in names_of_tests(ROOT / file)


def test_there_are_no_names_of_another_form():
    assert len(re.findall(r"`tests/[^`]*::[^`]*`", PAGE)) == len(re.findall(r"`tests/[\w/]+\.py::\w+`", PAGE))


class Parsed(Exception):  # noqa: N818  no error: the command got as far as it is to get
    """Raised in the place of the work."""


@pytest.mark.parametrize(("module", "arguments"), COMMANDS)
def test_every_command_can_be_given(module: str, arguments: str, monkeypatch: pytest.MonkeyPatch):
    real = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, words: Sequence[str] | None = None) -> None:
        real(parser, words)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    entry = importlib.import_module(f"{module}.__main__" if (ROOT / module.replace(".", "/")).is_dir() else module)
    with pytest.raises(Parsed):
        entry.main(shlex.split(arguments))
