"""From a run and a clinical table to everything that the clinical question asks, as JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from utils.clinical.clinical_table import ClinicalValues, read_clinical_values
from utils.clinical.column_values import read_columns
from utils.clinical.covariates import Design, as_record, design_of
from utils.clinical.discrimination import discrimination
from utils.clinical.models import MODELS, fit_models
from utils.clinical.predicted_cases import PredictedCases, read_predicted_cases
from utils.clinical.settings import ClinicalSettings
from utils.clinical.subgroups import site_rows, subgroup_rows
from utils.files.phrases import counted
from utils.runs.run_record import model_in_words

_EVENTS_PER_COVARIATE = 10


def analyse(run_dir: Path, settings: ClinicalSettings) -> dict[str, Any]:
    """The content of `clinical.json`.

    The three models are fitted to the same cases: those with a value of every covariate.

    Returns:
        `title`, `task`, `metric`, `outcome` (what `events` counts), `table` (how it was read), `predictions`
        {fold: SHA-256}, `folds` (of the analysed cases), `cases` (numbers), `missing`, `covariates`, `models` and
        `tests` (see `utils.clinical.models.fit_models`), `discrimination`, `n_tests` (p values in all), `subgroups`,
        `sites`, `notes` and `warnings`. Without `--covariates` there are no `models`, `tests` and `discrimination`.

    Raises:
        UserError: see `read_predicted_cases`, `read_clinical_values`, `read_columns` and `design_of`.
    """
    settings = settings.in_plain_text()
    cases = read_predicted_cases(run_dir)
    values = read_clinical_values(settings, cases.case_id.tolist(), cases.slides)
    columns = read_columns(values.texts, settings.categorical or ())
    result: dict[str, Any] = {
        "title": _title(cases.run),
        "task": cases.task.name,
        "metric": cases.metric,
        "outcome": cases.outcome_words,
        "table": dict(values.record),
        "predictions": dict(cases.digests),
    }
    notes = [*cases.notes, *values.notes, *(note for column in columns.values() for note in column.notes)]
    warnings = [warning for column in columns.values() for warning in column.warnings]
    kept = values.found
    if settings.covariates:
        covariates = {name: columns[name] for name in settings.covariates}
        design = design_of(covariates, cases.outcome, is_survival=cases.is_survival)
        kept = design.kept
        result |= _models(cases.only(kept), design)
        notes += design.notes
        warnings += _few_events(cases.only(kept), design.columns.shape[1])
    result |= {"cases": _counts(cases, values, kept), "missing": {k: dict(v) for k, v in values.missing.items()}}
    result["folds"] = sorted({int(fold) for fold in cases.fold[kept]})
    groups = {name: columns[name] for name in settings.subgroups or ()}
    result["subgroups"] = subgroup_rows(cases, groups) if groups else []
    result["sites"], small_sites = site_rows(cases)
    result["notes"] = [_sentence(note) for note in (*notes, small_sites) if note]
    result["warnings"] = warnings
    return result


def _title(run: Mapping[str, Any]) -> str:
    """Data set and model in words."""
    ablated = run["settings"].get("ablate") or ()
    return f"{run['dataset']}: {model_in_words(run['model'], run['formulation'], ablated)}"


def _models(cases: PredictedCases, design: Design) -> dict[str, Any]:
    terms = [term for covariate in design.covariates for term in covariate.terms]
    fitted = fit_models(cases, design.columns, terms)
    n_tests = sum(term["p"] is not None for model in MODELS for term in fitted["models"][model]["terms"])
    n_tests += sum(test["p"] is not None for test in fitted["tests"].values())
    return {
        "covariates": [as_record(covariate) for covariate in design.covariates],
        **fitted,
        "n_tests": n_tests,
        "discrimination": discrimination(cases, design.columns, terms),
    }


def _counts(cases: PredictedCases, values: ClinicalValues, kept: np.ndarray) -> dict[str, int]:
    return {
        "predicted": len(cases.case_id),
        "in_table": int(values.found.sum()),
        "analysed": int(kept.sum()),
        "events": int(cases.outcome[kept].sum()),
    }


def _few_events(cases: PredictedCases, n_columns: int) -> Iterator[str]:
    """That the models have more coefficients than the outcomes carry."""
    n_events = int(cases.outcome.sum())
    fewer = n_events if cases.is_survival else min(n_events, len(cases.outcome) - n_events)
    what = "deaths" if cases.is_survival else "cases of the smaller class"
    if fewer < _EVENTS_PER_COVARIATE * (n_columns + 1):
        yield (
            f"{fewer} {what} are few for {counted(n_columns + 1, 'coefficient')} (the risk and {n_columns} of the "
            f"covariates): with fewer than {_EVENTS_PER_COVARIATE} for each, ratios are too far from 1 and "
            "intervals too narrow. Name fewer --covariates, or merge groups."
        )


def _sentence(note: str) -> str:
    return note[0].upper() + note[1:] + ("" if note.endswith(".") else ".")
