"""The clinical question in the report of a run: its answer, tables, forest chart, and how the table was read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from utils.clinical.models import BOTH, COVARIATES
from utils.clinical.sentences import cases_in_words, verdict
from utils.clinical.tables import MODEL_WORDS, Rows, group_name, ratio_word, undefined
from utils.clinical.text import methods_of, tables_of
from utils.report.charts.chart import Chart
from utils.report.charts.forest_chart import ForestRow, forest_chart
from utils.report.content import Block, Bullets, Charts, Folded, Table, Text, row
from utils.runs.tasks import METRIC_WORDS
from utils.tables.below_chance import CHANCE


def clinical_blocks(result: Mapping[str, Any]) -> tuple[Block, ...]:
    """The section of a run, from the content of its `clinical.json`."""
    return tuple(_blocks(result))


def _blocks(result: Mapping[str, Any]) -> Iterator[Block]:
    yield from (Text(sentence) for sentence in verdict(result))
    yield Text(" ".join(cases_in_words(result)))
    if result["warnings"]:
        yield Bullets(tuple(result["warnings"]), kind="warning")
    methods = methods_of(result)
    for title, rows in tables_of(result).items():
        yield _table(title, rows, methods[title])
    if charts := tuple(_charts(result)):
        yield Charts(charts)
    if reasons := undefined(result):
        yield Bullets(tuple(reasons))
    if result["notes"]:
        yield Folded("How the table was read", (Bullets(tuple(result["notes"])),))


def _table(title: str, rows: Rows, notes: tuple[str, ...]) -> Table:
    header, *body = rows
    return Table(title, tuple(header), tuple(row(*cells) for cells in body), notes=notes, is_sortable=False)


def _charts(result: Mapping[str, Any]) -> Iterator[Chart]:
    if "models" in result:
        words = "hazard ratio" if ratio_word(result) == "HR" else "odds ratio"
        for model in (COVARIATES, BOTH):
            terms = result["models"][model]["terms"]
            rows = [ForestRow(term["term"], term["effect"], term["low"], term["high"]) for term in terms]
            title = f"{words.capitalize()}s with 95 % intervals, {MODEL_WORDS[model]}"
            yield forest_chart(rows, title=title, axis=words, reference=1.0, is_ratio=True)
    groups = [*result["subgroups"], *result["sites"]]
    if groups:
        metric = METRIC_WORDS[result["metric"]]
        rows = [ForestRow(group_name(one), one["value"], one["low"], one["high"]) for one in groups]
        yield forest_chart(rows, title=f"{metric} within groups", axis=metric, reference=CHANCE)
