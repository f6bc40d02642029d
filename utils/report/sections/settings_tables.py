"""How a run came about: its options, versions, code, seed, and the digests of what went in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from utils.report.content import Block, Bullets, Cell, Folded, Table, row
from utils.runs.protocol import completed

_DIGESTS = {"splits": "split file", "anchors": "anchors", "features": "features"}


def settings_blocks(run: Mapping[str, Any]) -> tuple[Block, ...]:
    """The record of a run (`run.json`) as text and folded tables."""
    blocks: list[Block] = [Bullets(tuple(_facts(run)))]
    if run["settings"]:
        blocks.append(Folded("Options", (_pairs("Options of main.py", ("option", "value"), run["settings"]),)))
    protocol = completed(run)["protocol"]
    if protocol:
        table = _pairs("What no option decides", ("fact", "how it is in this run"), protocol)
        blocks.append(Folded("Training protocol", (table,)))
    digests = tuple(_digest_rows(run))
    if digests:
        table = Table("SHA-256 of the files that went in", ("what", "fold or file", "SHA-256"), digests)
        blocks.append(Folded("Digests of splits, anchors and features", (table,)))
    if isinstance(run.get("versions"), dict):
        blocks.append(Folded("Versions", (_pairs("Versions", ("package", "version"), run["versions"]),)))
    if isinstance(run.get("resumed"), list):
        rows = tuple(
            row(_text(call.get("started")), _stage(call), _text(call.get("folds")), _commit(call.get("git")))
            for call in run["resumed"]
            if isinstance(call, dict)
        )
        table = Table("Later calls of main.py", ("started", "stage", "folds", "git commit"), rows)
        blocks.append(Folded("Later calls", (table,)))
    return tuple(blocks)


def _facts(run: Mapping[str, Any]) -> Iterator[str]:
    yield f"Task {run['task']}, data set {run['dataset']}, model {run['model']}, form {run['formulation']}."
    yield f"Seed {run['seed']}."
    yield f"Code: {_commit(run.get('git'))}."
    yield f"Started {_text(run.get('started'))} (UTC)." if run.get("started") else "Start not recorded."
    if run.get("dim_in") is not None:
        yield f"Features of width {run['dim_in']}, scale: {_text(run.get('feature_norm'))}."


def _stage(call: Mapping[str, Any]) -> str:
    settings = call.get("settings")
    return _text(settings["stage"]) if isinstance(settings, dict) and "stage" in settings else "not recorded"


def _commit(git: Any) -> str:
    if not isinstance(git, dict) or "commit" not in git:
        return "git commit not recorded"
    return f"git commit {git['commit']}" + (", with files changed since" if git.get("modified") else "")


def _pairs(caption: str, header: tuple[str, str], values: Mapping[str, Any]) -> Table:
    return Table(caption, header, tuple(row(str(name), _text(value)) for name, value in values.items()))


def _digest_rows(run: Mapping[str, Any]) -> Iterator[tuple[Cell, ...]]:
    for key, what in _DIGESTS.items():
        values = run.get(key)
        for name, digest in values.items() if isinstance(values, dict) else ():
            yield row(what, str(name), _text(digest))


def _text(value: Any) -> str:
    """A value of a JSON record for a reader."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
