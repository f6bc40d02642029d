"""What a reader should know before the numbers, each thing once: of one run, and of all runs of a results folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from utils.files.phrases import counted, numbered
from utils.report.content import Block, Bullets, Folded, Text
from utils.report.run_results import RunResults, relative_to
from utils.report.sections.metric_tables import reasons_in_words
from utils.runs.run_record import folds_left_out
from utils.runs.tasks import METRIC_WORDS
from utils.tables.fold_warnings import fold_warnings, merged

MAX_WARNINGS = 12  # shown at once
_N_NAMED = 3
_FOLD_FILE = re.compile(r"fold(\d+)\.csv")


def page_warnings(results: RunResults) -> list[str]:
    """Recorded warnings, doubtful and missing folds, what is lacking: each once, with the folds that it is about."""
    return list(dict.fromkeys([*_of_run(results), *merged(dict(_of_folds(results)))]))


def shared_warnings(runs: Sequence[tuple[str, RunResults]]) -> Iterator[str]:
    """The warnings of runs (place, results); one that several share is said once, with their number."""
    places: dict[str, list[str]] = {}
    folds: dict[str, list[tuple[str, int]]] = {}
    for place, results in runs:
        for text in dict.fromkeys(_of_run(results)):
            places.setdefault(text, []).append(place)
        for fold, texts in _of_folds(results):
            for text in dict.fromkeys(texts):
                folds.setdefault(text, []).append((place, fold))
    for text, of_runs in places.items():
        many = f"{text} ({counted(len(of_runs), 'run')}: {_some(of_runs)})"
        yield f"{of_runs[0]}: {text}" if len(of_runs) == 1 else many
    n_trained = sum(len({*results.tables, *results.validation}) for _, results in runs)
    for text, of_folds in folds.items():
        own = {place: [fold for other, fold in of_folds if other == place] for place, _ in of_folds}
        named = [f"{place}, {numbered('fold', numbers)}" for place, numbers in own.items()]
        if len(named) == 1:
            yield f"{named[0]}: {text}"
        else:
            yield f"{text} ({len(of_folds)} of {counted(n_trained, 'trained fold')}: {_some(named, '; ')})"


def warning_blocks(warnings: Sequence[str]) -> tuple[Block, ...]:
    """The list of warnings, its end folded where it is long, or the sentence that there are none."""
    if not warnings:
        return (Text("None."),)
    shown: tuple[Block, ...] = (Bullets(tuple(warnings[:MAX_WARNINGS]), kind="warning"),)
    more = tuple(warnings[MAX_WARNINGS:])
    return (*shown, Folded(counted(len(more), "more warning"), (Bullets(more, kind="warning"),))) if more else shown


def _of_run(results: RunResults) -> Iterator[str]:
    if results.summary is not None and results.summary["below_chance"]:
        yield f"The run is {results.summary['below_chance']}."
    yield from _once_for_all_folds(" ".join(str(text).split()) for text in results.run["warnings"])
    if left_out := folds_left_out(results.run):
        yield f"{left_out}."
    missing = sorted(set(results.run["folds"]) - set(results.tables))
    if len(missing) == 1:
        yield f"Fold {missing[0]} is missing: it has no test predictions yet."
    elif missing:
        yield f"{numbered('Fold', missing)} are missing: they have no test predictions yet."
    if results.summary is not None:
        reasons = reasons_in_words(results.summary, results.metric)
        if reasons:
            yield f"{METRIC_WORDS[results.metric]} is undefined: {reasons}."
    yield from results.problems
    for explained in results.explained.values():
        yield from (f"Left out: {relative_to(results.run_dir, error)}" for error in explained.problems)


def _of_folds(results: RunResults) -> Iterator[tuple[int, list[str]]]:
    """Of each fold that is trained, by its test cases, or by its validation cases where they are not opened yet."""
    tested = {} if results.summary is None else {row["fold"]: row["warnings"] for row in results.summary["folds"]}
    for fold in sorted({*tested, *results.validation}):
        if fold in tested:
            yield fold, tested[fold]
        else:
            yield fold, fold_warnings(results.run, results.logs.get(fold), results.validation[fold], "validation")


def _once_for_all_folds(texts: Iterable[str]) -> Iterator[str]:
    """Texts that differ by the name of a fold file only as one, with the numbers of the folds."""
    alike: dict[str, list[str]] = {}
    for text in dict.fromkeys(texts):
        alike.setdefault(_FOLD_FILE.sub("fold*.csv", text), []).append(text)
    for text, same in alike.items():
        numbers = sorted({int(number) for one in same for number in _FOLD_FILE.findall(one)})
        yield same[0] if len(same) == 1 else f"{text} ({numbered('fold', numbers)})"


def _some(names: Iterable[str], between: str = ", ") -> str:
    """The first few names, and how many more."""
    given = list(names)
    if len(given) <= _N_NAMED + 1:
        return between.join(given)
    return f"{between.join(given[:_N_NAMED])} and {len(given) - _N_NAMED} more"
