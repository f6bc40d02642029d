"""Putting the clinical question to a run: everything that goes into `RUN_DIR/clinical/`."""

from __future__ import annotations

from pathlib import Path

from utils.clinical.analysis import analyse
from utils.clinical.clinical_file import FOLDER, write_clinical
from utils.clinical.forest_figure import write_forest_figure
from utils.clinical.settings import ClinicalSettings
from utils.clinical.text import csv, latex, markdown
from utils.files.atomic import write_text


def write_clinical_of(run_dir: Path, settings: ClinicalSettings) -> list[Path]:
    """Write clinical.json, .csv, .md, .tex and, with covariates, forest.png and forest.svg; returns their paths.

    Raises:
        UserError: see `utils.clinical.analysis.analyse`; nothing is written then.
    """
    result = analyse(run_dir, settings)
    paths = []
    for name, text in (("csv", csv(result)), ("md", markdown(result)), ("tex", latex(result))):
        path = run_dir / FOLDER / f"clinical.{name}"
        write_text(path, text)
        paths.append(path)
    if "models" in result:
        paths += write_forest_figure(run_dir, result)
    return [write_clinical(run_dir, result), *paths]
