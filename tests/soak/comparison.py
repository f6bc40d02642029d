"""What two folders of results must have in common: all files, and all bytes but those that say when and how often."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

# When a run was started, by which code, and that it was resumed, is not what it computed; `feature_facts` are of the
# folds of the call that began the run.
OF_THE_CALL = ("started", "resumed", "git", "feature_facts")
SETTINGS_OF_THE_CALL = ("resume", "overwrite", "on_change", "stage", "folds", "num_workers", "cache", "cache_gb")
TIMES = re.compile(rb"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\+00:00)?( UTC)?")


def content(path: Path) -> bytes:
    """The bytes of a file, without the times in it."""
    data = path.read_bytes()
    if path.name == "log.csv":
        return as_text([without_seconds(row) for row in csv.DictReader(io.StringIO(data.decode()))])
    if path.name == "last.pt":
        return as_text(described(data))
    if path.name in ("run.json", "predict.json"):
        return as_text(without_call(json.loads(data)))
    if path.name == "splits.json":
        record = json.loads(data)
        return as_text({**record, "options": {**record["options"], "overwrite": None}})
    if path.suffix == ".html" or path.name == "model.json":
        return TIMES.sub(b"TIME", data)
    return data


def as_text(value: Any) -> bytes:
    """A value as text that is equal for equal values."""
    return json.dumps(value, indent=1, sort_keys=True).encode()


def without_seconds(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the log without how long the epoch took."""
    return {name: value for name, value in row.items() if name != "seconds"}


def without_call(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what belongs to the call."""
    settings = {name: v for name, v in record.get("settings", {}).items() if name not in SETTINGS_OF_THE_CALL}
    return {**{name: v for name, v in record.items() if name not in OF_THE_CALL}, "settings": settings}


def described(data: bytes) -> Any:
    """The state of a training in plain values, tensors by their digest: its log, too, holds seconds."""
    import torch  # slow to import

    def plain(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            digest = hashlib.sha256(value.contiguous().view(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
            return [str(value.dtype), list(value.shape), digest]
        if isinstance(value, dict):
            return {str(key): plain(item) for key, item in without_seconds(value).items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return value

    return plain(torch.load(io.BytesIO(data), weights_only=True))


def contents(folder: Path) -> dict[str, bytes]:
    """{relative path: content} of every file below a folder, also of temporary files and locks that were left."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): content(path) for path in files}


def differences(folder: Path, reference: dict[str, bytes]) -> list[str]:
    """What a folder has not in common with the contents of another one, a line per file."""
    found = contents(folder)
    missing = [f"{name} is missing" for name in sorted(reference.keys() - found.keys())]
    more = [f"{name} was left behind" for name in sorted(found.keys() - reference.keys())]
    other = [
        f"{name} differs: {first_difference(found[name], reference[name])}"
        for name in sorted(found.keys() & reference.keys())
        if not equal(name, found[name], reference[name])
    ]
    return missing + more + other


def equal(name: str, found: bytes, expected: bytes) -> bool:
    """Whether a file is as expected; a report may have more lines, which say how the run was resumed.

    >>> equal("report.html", b"a\\nresumed\\nb", b"a\\nb"), equal("x.csv", b"a", b"b")
    (True, False)
    """
    if not name.endswith(".html"):
        return found == expected
    return not set(expected.splitlines()) - set(found.splitlines())


def first_difference(found: bytes, expected: bytes) -> str:
    """Where two byte strings part, with what follows."""
    same = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), None)
    at = min(len(found), len(expected)) if same is None else same
    return (
        f"byte {at} of {len(found)} and {len(expected)}: {found[at : at + 60]!r}, expected {expected[at : at + 60]!r}"
    )
