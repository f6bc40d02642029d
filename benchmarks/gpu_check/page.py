"""The page and the JSON file of a check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.gpu_check.report import PartReport, cell_text
from utils.files.atomic import write_json, write_text
from utils.files.text_table import markdown_table

PAGE, JSON = "gpu_check.md", "gpu_check.json"


def write_results(folder: Path, machine: Mapping[str, Any], reports: Mapping[str, PartReport]) -> None:
    """Write both files, of all parts so far."""
    folder.mkdir(parents=True, exist_ok=True)
    status = "failed" if any(report.failures for report in reports.values()) else "passed"
    parts = {name: report.as_json() for name, report in reports.items()}
    write_json(folder / JSON, {"status": status, "machine": dict(machine), "parts": parts})
    write_text(folder / PAGE, page(machine, reports, status))


def page(machine: Mapping[str, Any], reports: Mapping[str, PartReport], status: str) -> str:
    """The page as Markdown."""
    facts = markdown_table([["what", "value"], *([name, str(value)] for name, value in machine.items())])
    overview = [["part", "status", "seconds", "left out"]]
    overview += [
        [report.title, report.status, f"{report.seconds:.1f}", str(len(report.left_out))] for report in reports.values()
    ]
    head = ["# GPU check", f"Status: **{status}**.", facts, markdown_table(overview)]
    return "\n\n".join([*head, *(section(report) for report in reports.values())]) + "\n"


def section(report: PartReport) -> str:
    """A part as a section of the page."""
    blocks = [f"## {report.title}"]
    for table in report.tables:
        rows = [list(table.columns), *([cell_text(cell) for cell in row] for row in table.rows)]
        blocks += [f"{table.title}:", markdown_table(rows)]
    blocks += report.notes
    if report.left_out:
        blocks.append("Left out:\n\n" + "\n".join(f"- {what}" for what in report.left_out))
    for failure in report.failures:
        message = f"**Failed:** {failure.what}: `{failure.kind}`"
        blocks += [message, "```\n" + f"{failure.message}\n\n{failure.traceback}".strip() + "\n```"]
    return "\n\n".join(blocks)
