"""The README beside the paper's tables: what is missing, what was run, every deviation, and the sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from utils.command.arguments import MODEL_OPTIONS, names_of
from utils.command.settings import RunSettings
from utils.files.phrases import counted, listed, numbered
from utils.files.text_table import markdown_table
from utils.paper.planned_results import PlannedResult, PlannedResults
from utils.paper.planned_tables import TABLES, planned_tables
from utils.paper.published import SOURCE, are_of_the_paper
from utils.runs.protocol import completed, has_ties, protocol_of
from utils.runs.run_plan import MICO
from utils.runs.tasks import TASKS

# Settings that the tables name themselves, and those that leave the numbers as they are; sums on a GPU are not ordered,
# so the device is told.
NAMED_BY_THE_TABLES = {
    *("task", "dataset", "model", "formulation", "n_clusters", "ablate", "seed"),
    *("on_missing", "allow_patient_overlap"),  # among the warnings
    *names_of(RunSettings, "place", "run", "explanation"),
} - {"device"}
# Until 2026-11 a run.json held the options of all models, and not the defaults of its own; they were these.
DEFAULTS_OF_MODELS_BEFORE = {
    "n_stages": 3,
    "embed_dim": 512,
    "dropout": 0.05,
    "similarity": "l2",
    "assignment": "soft",
    "graph": "coords",
    "instance_weight": 0.3,
    "recompute_above": 50_000,
}
FIXED_DEVIATIONS = (
    "Splits of the paper: three of the four folds were never published, so the folds were made again.",
    "Training follows the released code but for what docs/paper_map.md lists, such as precision, initial weights of a "
    "fold, and of epochs with the same score the one of the lowest validation loss (--tie_rule val_loss).",
    "The published classification folds share patients between train, validation and test.",
)
OF_PUBLISHED_FIGURES = (
    f"The published figures are quoted from {SOURCE}: the tables themselves were not at hand, figures of single data "
    "sets are not known here, and whether the subtyping figures are a mean is not said."
)


def index_text(results: PlannedResults, notes: Sequence[str]) -> str:
    """The text of README.md; `notes` are further deviations, one a line."""
    files = [f"- [{name}]({name}.md): {TABLES[name]}" for name in planned_tables(results)]
    sections = {
        "Missing": list(_missing(results)) or ["Nothing: every planned run has all folds of its cohort."],
        "Test cases": [_test_cases(results)],
        "Settings that differ from the defaults of main.py": list(_settings(results)),
        "Folds and seeds that were run": [_coverage(results)],
        "Deviations and warnings": [f"- {line}" for line in _deviations(results, notes)],
        "Sources": list(_sources(results)),
    }
    intro = (
        "Each table is there as `.md`, `.tex` and `.csv` (all digits, a line per cell), from prediction files alone."
    )
    blocks = ["# Tables of the paper", intro, "\n".join(files)]
    blocks += [f"## {title}\n\n" + "\n".join(lines) for title, lines in sections.items()]
    return "\n\n".join(blocks) + "\n"


def _missing(results: PlannedResults) -> Iterator[str]:
    """A line per planned run that lacks all or some folds of its cohort."""
    for run in results.runs:
        expected = results.folds(run.planned.task, run.planned.dataset)
        absent = sorted(set(expected) - set(_tested(run)))
        if run.summary is None:
            state = "not begun" if run.record is None else "begun, no fold tested"
            yield f"- {_about(run)}: {state} (`{run.planned.run_dir}`)"
        elif absent:
            yield f"- {_about(run)}: {numbered('fold', absent)} missing (`{run.planned.run_dir}`)"


def _test_cases(results: PlannedResults) -> str:
    """A table: cases of each test fold, and deaths among them."""
    rows = [["task", "data set", "folds", "test cases of each fold", "all", "deaths of each fold", "all"]]
    for task, dataset in _cohorts(results):
        folds: dict[int, dict[str, Any]] = {}
        for run in results.runs:
            if (run.planned.task, run.planned.dataset) == (task, dataset) and run.summary is not None:
                folds |= {row["fold"]: row for row in run.summary["folds"]}
        counts = [
            [folds[k][name] for k in sorted(folds)]
            for name in ("n_test", "n_events")
            if folds and name in folds[min(folds)]
        ]
        shown = [text for each in counts for text in (", ".join(map(str, each)), str(sum(each)))]
        rows.append([TASKS[task].words, dataset, str(len(folds)), *(shown + [""] * 4)[:4]])
    return markdown_table(rows)


def _settings(results: PlannedResults) -> Iterator[str]:
    """A line per cohort and set of settings, from what the `run.json` of its runs record."""
    for task, dataset in _cohorts(results):
        said: dict[str, list[str]] = {}
        for run in results.runs:
            if (run.planned.task, run.planned.dataset) == (task, dataset) and run.record is not None:
                said.setdefault(_differing_settings(run.record), []).append(_row_name(run))
        largest = max(said, key=lambda settings: len(said[settings]), default="")
        for settings, names in sorted(said.items(), key=lambda item: item[0] == largest):
            rest = "all runs" if len(said) == 1 else "all other runs"
            which = rest if settings == largest else listed(dict.fromkeys(names))
            yield f"- {dataset} ({TASKS[task].words}), {which}: {settings or 'none'}"


def _differing_settings(record: Mapping[str, Any]) -> str:
    """What changes the numbers of a run and is not as by default, but for options that the tables name."""
    record = completed(record)
    given = {**record["settings"], "feature_norm": record.get("feature_norm") or "none"}
    of_model = record.get("model_defaults", DEFAULTS_OF_MODELS_BEFORE)
    defaults: dict[str, Any] = {}
    for field in fields(RunSettings):
        defaults |= of_model if field.name == MODEL_OPTIONS else {field.name: field.default}
    defaults |= {"feature_norm": "none", "monitor": TASKS[record["task"]].monitors[0]}
    differing = [
        f"{name} {given[name]}"
        for name, default in defaults.items()
        if name in given and name not in NAMED_BY_THE_TABLES and given[name] != default
        if name != "tie_rule" or has_ties(given)
    ]
    now = protocol_of(given)
    earlier = [f"{name} {how} (an earlier version)" for name, how in record["protocol"].items() if how != now[name]]
    return ", ".join([*differing, *earlier])


def _coverage(results: PlannedResults) -> str:
    """A table: what was run of each cohort, model and number of anchors."""
    groups: dict[tuple[str, str, str, str], list[PlannedResult]] = {}
    for run in results.runs:
        anchors = str(run.planned.n_clusters) if run.planned.model == MICO else ""
        groups.setdefault((run.planned.task, run.planned.dataset, run.variant.name, anchors), []).append(run)
    rows = [["task", "data set", "model", "anchors", "folds", "seeds", "trainings"]]
    for (task, dataset, name, anchors), runs in groups.items():
        n_folds = len(results.folds(task, dataset))
        tested = [fold for run in runs for fold in _tested(run)]
        seeds = [run.planned.seed for run in runs if run.summary is not None]
        planned = f"{n_folds}" if n_folds else "unknown"
        rows.append(
            [
                TASKS[task].words,
                dataset,
                name,
                anchors,
                f"{len(set(tested))} of {planned}",
                f"{len(seeds)} of {len(runs)}" + (f" ({', '.join(map(str, seeds))})" if seeds else ""),
                f"{len(tested)} of {n_folds * len(runs) or 'unknown'}",
            ]
        )
    return markdown_table(rows)


def _deviations(results: PlannedResults, notes: Sequence[str]) -> Iterator[str]:
    yield from FIXED_DEVIATIONS
    if any(are_of_the_paper(task, results.cohorts(task)) for task in TASKS):
        yield OF_PUBLISHED_FIGURES
    yield from notes
    for task, dataset in _cohorts(results):
        runs = [run for run in results.runs if (run.planned.task, run.planned.dataset) == (task, dataset)]
        where = f"{dataset} ({TASKS[task].words})"
        differing = _differing_splits(runs)
        if differing:
            yield f"{where}: the runs used different files {listed(differing)} as splits, so they are not comparable."
        warned: dict[str, int] = {}
        for run in runs:
            for warning in dict.fromkeys(run.record["warnings"] if run.record is not None else ()):
                text = " ".join(str(warning).split())
                warned[text] = warned.get(text, 0) + 1
        for text, count in warned.items():
            yield f"{where}, {count} of {len(runs)} runs: {text}"
        for run in runs:  # of the mean over folds, whose interval may lie below chance where that of no fold does
            if run.summary is not None and run.summary["below_chance"]:
                yield f"{_about(run)}: {run.summary['below_chance']}"
        n_folds = sum(len(_tested(run)) for run in runs)
        for text, names in _doubts(runs).items():
            of_them = f"{len(names)} of {counted(n_folds, 'trained fold')} ({'; '.join(dict.fromkeys(names))})"
            yield f"{where}, {of_them}: {text}"


def _doubts(runs: Sequence[PlannedResult]) -> dict[str, list[str]]:
    """{warning of a fold: the row of each fold that has it}."""
    rows_of: dict[str, list[str]] = {}
    for run in runs:
        for fold in run.summary["folds"] if run.summary is not None else ():
            for text in fold["warnings"]:
                rows_of.setdefault(text, []).append(_row_name(run))
    return rows_of


def _sources(results: PlannedResults) -> Iterator[str]:
    """The plan, the split files of each cohort (numbered where runs differ), and each run with its folder."""
    yield f"Plan: `{results.plan.name}`; folders of runs are written as the plan has them.\n"
    for task, dataset in _cohorts(results):
        sets: list[dict[str, str]] = []
        lines = []
        for run in results.runs:
            if (run.planned.task, run.planned.dataset) != (task, dataset) or run.record is None:
                continue
            splits = run.record["splits"]
            if splits not in sets:
                sets.append(splits)
            folds = numbered("fold", _tested(run)) if _tested(run) else "no fold tested"
            number = sets.index(splits) + 1
            lines.append(
                f"- `{run.planned.run_dir}`: {_row_name(run)}, seed {run.planned.seed}; {folds}; split files {number}"
            )
        yield f"{dataset} ({TASKS[task].words}):\n"
        for number, splits in enumerate(sets, start=1):
            digests = [f"{name} {digest}" for name, digest in splits.items()]
            yield f"- split files {number}, sha256: {', '.join(digests) or 'not recorded'}"
        yield from lines or ["- no run has begun"]
        yield ""


def _cohorts(results: PlannedResults) -> list[tuple[str, str]]:
    return list(dict.fromkeys((run.planned.task, run.planned.dataset) for run in results.runs))


def _about(run: PlannedResult) -> str:
    return f"{_row_name(run)}, {run.planned.dataset} ({TASKS[run.planned.task].words}), seed {run.planned.seed}"


def _row_name(run: PlannedResult) -> str:
    return run.variant.name + (f", {run.planned.n_clusters} anchors" if run.planned.model == MICO else "")


def _tested(run: PlannedResult) -> list[int]:
    return [] if run.summary is None else [row["fold"] for row in run.summary["folds"]]


def _differing_splits(runs: Sequence[PlannedResult]) -> list[str]:
    """The split files of which the runs of a cohort have more than one digest."""
    digests: dict[str, set[str]] = {}
    for run in runs:
        for name, digest in (run.record["splits"] if run.record is not None else {}).items():
            digests.setdefault(name, set()).add(digest)
    return sorted(name for name, found in digests.items() if len(found) > 1)
