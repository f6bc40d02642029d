"""The weights of a model that was handed on, with the digest that `model.json` names."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fuzz.targets.exported import MODEL_RECORD, export
from utils.files.provenance import digest
from utils.pipeline import load_ensemble

NAME = "fold0.safetensors"
SUFFIX = ".safetensors"


def seeds(folder: Path) -> list[Path]:
    export(folder, "mico")
    return [folder / NAME]


def read(path: Path) -> None:
    model = path.parent / MODEL_RECORD
    if not model.exists():
        weights = path.read_bytes()
        export(path.parent, "mico")
        path.write_bytes(weights)
    record = json.loads(model.read_text())
    record["folds"][0]["sha256"] = digest(path)
    model.write_text(json.dumps(record))
    load_ensemble(path.parent)
