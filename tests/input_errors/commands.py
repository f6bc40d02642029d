"""Calling a command in this process, as `python` in the working folder would be called."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import shlex
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

SCRIPTS = {"main.py": "main", "run_clustering.py": "run_clustering"}


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (or, in words, the exception that left it), standard output, standard error."""

    status: Any
    out: str
    err: str


def call(command: str) -> Ended:
    """Run `main.py ...`, `run_clustering.py ...` or `python -m MODULE ...`."""
    words = shlex.split(command)
    with _captured() as (out, err), _own_loggers(), warnings.catch_warnings():
        warnings.simplefilter("always")  # in tests they are errors; those that Python hides from users stay hidden
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            status = _call(words)
        except SystemExit as error:
            status = error.code
        except Exception as error:  # noqa: BLE001  any of these is what a case must not end in
            status = f"{type(error).__name__}: {error}"
    return Ended(status, out[0], err[0])


def contents(folder: Path) -> dict[str, str]:
    """{path: digest} of all files and folders below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        is_file = path.is_file() and not path.is_symlink()
        found[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest() if is_file else ""
    return found


def _call(words: list[str]) -> Any:
    if words[0] in SCRIPTS:
        module = import_module(SCRIPTS[words[0]])
        parse = getattr(module, "parse_arguments", None) or module.get_args_parser().parse_args
        return module.main(parse(words[1:]))
    name = words[2]
    try:
        module = import_module(f"{name}.__main__")
    except ModuleNotFoundError:
        module = import_module(name)
    return module.main(words[3:])


@contextmanager
def _captured() -> Iterator[tuple[list[str], list[str]]]:
    """What is written to standard output and error, by Python or below it; filled in at the end of the block."""
    texts: tuple[list[str], list[str]] = ([], [])
    kept = [os.dup(1), os.dup(2)]
    streams = sys.stdout, sys.stderr
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        files = (out, err)
        try:
            for number, file in enumerate(files, start=1):
                os.dup2(file.fileno(), number)
            sys.stdout, sys.stderr = (
                io.TextIOWrapper(os.fdopen(os.dup(file.fileno()), "wb"), encoding="utf-8", write_through=True)
                for file in files
            )
            yield texts
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(ValueError, OSError):
                    stream.close()
            sys.stdout, sys.stderr = streams
            for number, descriptor in enumerate(kept, start=1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            for text, file in zip(texts, files, strict=True):
                file.seek(0)
                text.append(file.read().decode("utf-8", "replace"))


@contextmanager
def _own_loggers() -> Iterator[None]:
    """The handlers that a command installs write to its own streams, and are gone after it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Work in a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
