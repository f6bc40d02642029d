"""Pieces as JSON: what a job of a batch system is told to do, and how a piece ended.

A piece is a function of this repository and its arguments, of which settings are written option by option. Nothing is
pickled, and a file says in words what its job will do.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import typing
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from utils.command.arguments import MODEL_OPTIONS, names_of
from utils.command.clustering_settings import ClusteringSettings
from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.files.atomic import write_json
from utils.files.json_object import read_json_object
from utils.launch.piece import Piece

_ADVICE = "submit the pieces again"
_SETTINGS = {kind.__name__: kind for kind in (RunSettings, ClusteringSettings)}


def write_pieces(path: Path, pieces: Sequence[Piece], all_pieces: Sequence[Piece]) -> None:
    """Write pieces whose work is a function of this repository with arguments (`functools.partial`).

    Args:
        path: the file.
        pieces: that it is to have.
        all_pieces: those of the launch, among which are the ones that these need.
    """
    names = {piece.label: name_of(piece) for piece in all_pieces}
    needed = [{label: names[label] for label in piece.needs} for piece in pieces]
    records = [{**_plain_piece(piece), "needs": needs} for piece, needs in zip(pieces, needed, strict=True)]
    write_json(path, {"pieces": records})


def read_piece(path: Path, number: int) -> tuple[Piece, dict[str, str]]:
    """The piece of this number, and the names of those that it needs by their labels (`name_of`).

    Raises:
        UserError: for a file that cannot be read, or has no such piece.
    """
    records = read_json_object(path, advice=_ADVICE)["pieces"]
    if not 0 <= number < len(records):
        raise UserError(f"{path}: got the number {number}, expected 0 to {len(records) - 1}")
    record = records[number]
    work = record["work"]
    module, _, name = work["function"].rpartition(".")
    function = getattr(importlib.import_module(module), name)
    piece = Piece(
        record["label"],
        record["part"],
        record["kind"],
        partial(function, *map(_restored, work["arguments"])),
        record["prog"],
        Path(record["log"]),
        tuple(record["needs"]),
        tuple(map(Path, record["places"])),
    )
    return piece, record["needs"]


def name_of(piece: Piece) -> str:
    """The name of a piece among those whose logs lie in one folder: the same for the same work of another command."""
    return f"{piece.log.stem}.{piece.kind}"


def digest_of(piece: Piece) -> str:
    """A digest of what comes out of a piece: its stage, and the settings that decide results or name places."""
    record = _plain_piece(piece)["work"]
    for argument in record["arguments"]:
        if isinstance(argument, dict):
            names = names_of(_SETTINGS[argument["settings"]], "results", "place", "explanation")
            kept = {*names, MODEL_OPTIONS, "stage", "scope", "folds"}
            argument["values"] = {name: value for name, value in argument["values"].items() if name in kept}
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def settings_of(piece: Piece) -> RunSettings | None:
    """The settings of a piece of a run; None for other work."""
    arguments = piece.work.args if isinstance(piece.work, partial) else ()
    return next((each for each in arguments if isinstance(each, RunSettings)), None)


def _plain_piece(piece: Piece) -> dict[str, Any]:
    work = piece.work
    if not isinstance(work, partial) or work.keywords:
        raise ValueError(f"got the piece {piece.label} whose work is {work!r}, expected a partial of a function")
    module = work.func.__module__
    if module == "__main__":  # main.py, which is the command
        module = Path(work.func.__code__.co_filename).stem
    return {
        "label": piece.label,
        "part": piece.part,
        "kind": piece.kind,
        "work": {"function": f"{module}.{work.func.__name__}", "arguments": [_plain(each) for each in work.args]},
        "prog": piece.prog,
        "log": str(piece.log),
        "places": list(map(str, piece.places)),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, (RunSettings, ClusteringSettings)):
        values = {field.name: _plain_value(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"settings": type(value).__name__, "values": values}
    return _plain_value(value)


def _plain_value(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain_value(item) for item in value]
    if isinstance(value, typing.Mapping):
        return {name: _plain_value(item) for name, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def _restored(argument: Any) -> Any:
    """An argument: settings with the types of their fields."""
    if not isinstance(argument, dict):
        return argument
    kind = _SETTINGS[argument["settings"]]
    hints = typing.get_type_hints(kind)
    values = {name: _typed(value, of_paths=Path in _types(hints[name])) for name, value in argument["values"].items()}
    return kind(**values)


def _typed(value: Any, *, of_paths: bool) -> Any:
    if isinstance(value, list):
        return tuple(_typed(item, of_paths=of_paths) for item in value)
    if isinstance(value, dict):
        return {name: _typed(item, of_paths=of_paths) for name, item in value.items()}
    return Path(value) if of_paths and value is not None else value


def _types(hint: Any) -> list[Any]:
    """All types that a hint names: of `tuple[Path, ...] | None` Path among them."""
    return [hint, *(inner for each in typing.get_args(hint) for inner in _types(each))]
