"""A reader process that lives as long as a block, and what it read."""

from __future__ import annotations

import json
from pathlib import Path

from tests.soak.processes import Call, Workshop


class Reading:
    """A context manager: a reader of a folder, and after the block how many files it read and which were not whole."""

    def __init__(self, workshop: Workshop, folder: Path) -> None:
        self.workshop, self.folder = workshop, folder
        self.report = workshop.scratch / f"reader{len(workshop.processes)}.json"
        self.reads, self.failures = 0, list[str]()

    def __enter__(self) -> Reading:
        call = Call.of("tests/soak/reader.py", self.folder, self.report)
        self.process = self.workshop.start(call, self.workshop.scratch)
        return self

    def __exit__(self, *_: object) -> None:
        self.report.with_name(self.report.name + ".stop").touch()
        ended = self.process.wait()
        if ended.status:
            self.failures.append(f"the reader itself ended with {ended.status}: {ended.err}")
            return
        told = json.loads(self.report.read_text())
        self.reads, self.failures = told["reads"], told["failures"]
