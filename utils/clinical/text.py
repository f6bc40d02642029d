"""The clinical question as Markdown, LaTeX and CSV, from the content of `clinical.json`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from utils.clinical.sentences import GROUP_METHOD, cases_in_words, model_method, ranking_method, verdict
from utils.clinical.tables import Rows, group_name, group_table, model_table, ranking_table, undefined
from utils.files.csv_table import csv_text
from utils.files.text_table import latex_table, markdown_table
from utils.runs.tasks import METRIC_WORDS

CSV_COLUMNS = (
    "part",
    "model",
    "name",
    "cases",
    "events",
    "value",
    "low",
    "high",
    "p",
    "p_corrected",
    "statistic",
    "df",
    "value_per_unit",
    "note",
)
TITLE = "Clinical covariates"
_OF_MODELS = 2  # tables, the first ones, of the cases with a value of every covariate


def tables_of(result: Mapping[str, Any]) -> dict[str, Rows]:
    """{title: rows} of all tables that a result has, in their order."""
    metric = METRIC_WORDS[result["metric"]]
    tables = {}
    if "models" in result:
        tables["Models of the risk and of clinical covariates"] = model_table(result)
        tables[f"{metric} of the risk and of clinical covariates"] = ranking_table(result)
    if result["subgroups"]:
        tables[f"{metric} of the model within groups"] = group_table(result, result["subgroups"])
    if result["sites"]:
        tables[f"{metric} of the model within tissue source sites"] = group_table(result, result["sites"])
    return tables


def methods_of(result: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """{title: sentences} below the tables of `tables_of`."""
    methods: list[tuple[str, ...]] = []
    if "models" in result:
        methods += [tuple(model_method(result)), (ranking_method(result),)]
    methods += [(GROUP_METHOD,)] * (bool(result["subgroups"]) + bool(result["sites"]))
    return dict(zip(tables_of(result), methods, strict=True))


def markdown(result: Mapping[str, Any]) -> str:
    """The text of clinical.md."""
    blocks = [f"# {TITLE} of {result['title']}", *verdict(result), "\n".join(cases_in_words(result))]
    if result["warnings"]:
        blocks.append("\n".join(f"- warning: {text}" for text in result["warnings"]))
    methods = methods_of(result)
    for title, rows in tables_of(result).items():
        blocks += [f"## {title}", markdown_table(rows), "\n".join(f"- {text}" for text in methods[title])]
    if reasons := undefined(result):
        blocks += ["## Undefined", "\n".join(f"- {text}" for text in reasons)]
    if result["notes"]:
        blocks += ["## How the table was read", "\n".join(f"- {text}" for text in result["notes"])]
    return "\n\n".join(blocks) + "\n"


def latex(result: Mapping[str, Any]) -> str:
    """The text of clinical.tex: a `table` of the package booktabs for each table."""
    methods, parts = methods_of(result), []
    for number, (title, rows) in enumerate(tables_of(result).items(), start=1):
        is_of_models = "models" in result and number <= _OF_MODELS
        cases = cases_in_words(result) if is_of_models else ()
        caption = f"{title}, {result['title']}. {' '.join((*cases, *methods[title]))}"
        parts.append(latex_table(rows, caption=caption, label=f"tab:clinical_{number}"))
    return "\n\n".join(parts) + "\n"


def csv(result: Mapping[str, Any]) -> str:
    """The text of clinical.csv: a line per number, with all its digits."""
    return csv_text(CSV_COLUMNS, _lines(result))


def _lines(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    counts = {"cases": result["cases"]["analysed"], "events": result["cases"]["events"]}
    deviations = {
        term: covariate["deviation"]
        for covariate in result.get("covariates", ())
        if covariate["kind"] == "number"
        for term in covariate["terms"]
    }
    for model, fitted in result.get("models", {}).items():
        for term in fitted["terms"]:
            line = {"part": "ratio", "model": model, "name": term["term"], **counts, "note": fitted["reason"]}
            line |= {"value": term["effect"], **{name: term[name] for name in ("low", "high", "p")}}
            if term["term"] in deviations and term["effect"] is not None:
                line["value_per_unit"] = _ratio_per_unit(term["effect"], deviations[term["term"]])
            yield line
    for name, test in result.get("tests", {}).items():
        tested = {key: test.get(key) for key in ("statistic", "df", "p", "p_corrected")}
        yield {"part": "likelihood_ratio", "name": name, **counts, **tested, "note": test["reason"]}
    for part, of_part in (("models", result["metric"]), ("differences", f"{result['metric']}_difference")):
        for name, found in result.get("discrimination", {}).get(part, {}).items():
            yield {"part": of_part, "name": name, **counts, **_measured(found)}
    for part in ("subgroups", "sites"):
        for row in result[part]:
            of_row = {"cases": row["n"], "events": row["events"]}
            yield {"part": part, "name": group_name(row), **of_row, **_measured(row)}


def _ratio_per_unit(ratio: float, deviation: float) -> float | None:
    """`ratio^(1 / deviation)`; None beyond float64, where a unit is far more than the column spans."""
    exponent = math.log(ratio) / deviation
    return math.exp(exponent) if abs(exponent) < 700 else None


def _measured(found: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: found[name] for name in ("value", "low", "high")}, "note": found["reason"]}
