"""The tables of the clinical question as rows of text, the header first: for Markdown, LaTeX and report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from utils.clinical.covariates import named
from utils.clinical.discrimination import DIFFERENCES
from utils.clinical.models import BOTH, COVARIATES, MODELS, RISK
from utils.files.text_table import format_difference, format_p
from utils.runs.tasks import METRIC_WORDS

Rows = list[list[str]]
DASH = "–"
MODEL_WORDS = {RISK: "risk alone", COVARIATES: "covariates alone", BOTH: "both"}
DIFFERENCE_WORDS = {
    name: f"difference: {MODEL_WORDS[first]} minus {MODEL_WORDS[second]}"
    for name, (first, second) in DIFFERENCES.items()
}


def ratio_word(result: Mapping[str, Any]) -> str:
    """`HR` or `OR`."""
    return "HR" if result["task"] == "surv" else "OR"


def model_table(result: Mapping[str, Any]) -> Rows:
    """A line for each term: ratio with 95 % limits, and p, in each of the three models."""
    header = ["term"]
    for model in MODELS:
        header += [f"{MODEL_WORDS[model]}: {ratio_word(result)} (95 % interval)", "p"]
    terms = [term["term"] for term in result["models"][BOTH]["terms"]]
    return [header, *([name, *_cells_of(result, name)] for name in terms)]


def _cells_of(result: Mapping[str, Any], name: str) -> list[str]:
    cells = []
    for model in MODELS:
        term = next((one for one in result["models"][model]["terms"] if one["term"] == name), None)
        if term is None:
            cells += ["", ""]
        elif term["effect"] is None:
            cells += [DASH, DASH]
        else:
            cells += [ratio_text(term), format_p(term["p"])]
    return cells


def ratio_text(term: Mapping[str, Any]) -> str:
    """A ratio with its limits, three digits each.

    >>> ratio_text({"effect": 1.8274, "low": 1.2011, "high": 12.78})
    '1.83 (1.20–12.8)'
    """
    return f"{_three(term['effect'])} ({_three(term['low'])}–{_three(term['high'])})"


def _three(number: float) -> str:
    if 0.01 <= number < 1000:
        return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 100 else f"{number:.0f}"
    return f"{number:.1e}"


def ranking_table(result: Mapping[str, Any]) -> Rows:
    """C-index or AUC of the three models, and the differences between them, with 95 % limits."""
    found = result["discrimination"]
    rows = [["model", METRIC_WORDS[result["metric"]], "95 % interval"]]
    rows += [[MODEL_WORDS[model], *value_cells(found["models"][model])] for model in MODELS]
    for name, words in DIFFERENCE_WORDS.items():
        rows.append([words, *value_cells(found["differences"][name], format_difference)])
    return rows


def group_table(result: Mapping[str, Any], rows: list[dict[str, Any]]) -> Rows:
    """The model's C-index or AUC in groups of cases."""
    header = ["group", "cases", result["outcome"], METRIC_WORDS[result["metric"]], "95 % interval"]
    return [header, *([group_name(row), str(row["n"]), str(row["events"]), *value_cells(row)] for row in rows)]


def group_name(row: Mapping[str, Any]) -> str:
    """`stage II`, `age above 61`, `all cases`."""
    return named(row["column"], row["level"])


def value_cells(found: Mapping[str, Any], write: Callable[[float], str] = "{:.3f}".format) -> list[str]:
    """Value and limits; a group that is too small says so in place of a value."""
    reason = found["reason"] or ""
    if found["value"] is None:
        return ["too few", DASH] if reason.startswith("too few") else [DASH, DASH]
    between = f"{write(found['low'])} to {write(found['high'])}" if found["low"] is not None else DASH
    return [write(found["value"]), between]


def undefined(result: Mapping[str, Any]) -> list[str]:
    """Why values of the tables are a dash, each reason one sentence, once."""
    sentences: dict[str, list[str]] = {}
    for name, found in _reasons(result):
        if found["reason"]:
            sentences.setdefault(found["reason"], []).append(name)
    return [f"{', '.join(names)}: {reason}." for reason, names in sentences.items()]


def _reasons(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    found = [(f"{ratio_word(result)} ({MODEL_WORDS[name]})", one) for name, one in result.get("models", {}).items()]
    ranking, metric = result.get("discrimination", {}), METRIC_WORDS[result["metric"]]
    found += [(f"{metric} ({MODEL_WORDS[name]})", one) for name, one in ranking.get("models", {}).items()]
    found += [(DIFFERENCE_WORDS[name], one) for name, one in ranking.get("differences", {}).items()]
    return found + [(group_name(row), row) for row in (*result["subgroups"], *result["sites"])]
