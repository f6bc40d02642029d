"""The Markdown text of a comparison of runs by their validation cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from utils.files.phrases import counted, listed, numbered
from utils.files.text_table import markdown_table
from utils.runs.deciding_options import in_words
from utils.runs.tasks import LOWER_IS_BETTER, METRIC_WORDS, TASKS

LOSS = "loss"  # the mean validation loss of the kept epoch, beside the metrics of the task
_WORDS = METRIC_WORDS | {LOSS: "loss"}
_BEYOND = {"smallest": "smaller", "largest": "larger"}


def format_tuning(compared: Mapping[str, Any]) -> str:
    """The text of tuning.md, from the content of tuning.json (see `utils.tables.tuning.compare_runs`)."""
    task, runs, by = TASKS[compared["task"]], compared["runs"], compared["by"]
    title = f"# {compared['dataset']}: {counted(len(runs), 'run')} by their validation cases, {task.words}"
    lower = "; lower is better" if by in (*LOWER_IS_BETTER, LOSS) else ""
    method = (
        f"Sorted by the {_WORDS[by]} of the validation cases{lower}. mean ± std: over "
        f"{counted(len(compared['folds']), 'fold')}, population standard deviation; loss: of the kept epoch; epochs "
        "kept: of each fold. No test case is looked at."
    )
    blocks = [title, markdown_table(list(_rows(compared))), method, *_verdict(compared)]
    notes = list(_notes(compared))
    if notes:
        blocks.append("Notes:\n\n" + "\n".join(f"- {note}" for note in notes))
    return "\n\n".join(blocks) + "\n"


def _rows(compared: Mapping[str, Any]) -> Iterator[list[str]]:
    """The header, then a row for each run."""
    options, metrics, n_folds = compared["options"], compared["metrics"], len(compared["folds"])
    yield ["run", *options, *(_WORDS[name] for name in metrics), "epochs kept"]
    for run in compared["runs"]:
        cells = [_cell(run, name, n_folds) for name in metrics]
        epochs = ", ".join(in_words(fold["best_epoch"]) for fold in run["folds"])
        yield [run["run_name"], *(in_words(run["options"][name]) for name in options), *cells, epochs or "–"]


def _cell(run: Mapping[str, Any], name: str, n_folds: int) -> str:
    mean, std, defined = run["mean"][name], run["std"][name], run["n_defined"][name]
    if mean is None:
        return "–"
    text = f"{mean:.3f} ± {std:.3f}" if defined > 1 else f"{mean:.3f}"
    return text if defined == n_folds else f"{text} ({defined} of {n_folds} folds)"


def _verdict(compared: Mapping[str, Any]) -> Iterator[str]:
    """The best run, what its score is worth, and how to test it."""
    best, by, n_runs = compared["best"], compared["by"], len(compared["runs"])
    if best is None:
        yield f"No run has all folds and defines the {_WORDS[by]}, so that none is named the best."
        return
    score = _cell(compared["runs"][0], by, len(compared["folds"]))
    text = f"Best by the {_WORDS[by]} of the validation cases: **{best}** ({score})."
    if n_runs > 1:
        text += (
            f" The best of {n_runs} is an optimistic figure: run and epochs were chosen on the cases that it is "
            "computed from. What the run is worth, only the test cases say; test this run alone, once:"
        )
    else:
        text += " Its epochs were chosen on these cases; to open its test cases:"
    yield text
    yield f"```\n{compared['test']}\n```"


def _notes(compared: Mapping[str, Any]) -> Iterator[str]:
    near, others = compared["near"], len(compared["runs"]) - 1
    if near:
        yield (
            f"{len(near)} of {counted(others, 'other run')} within one standard deviation (over folds) of the best, so "
            "that chance may have decided between them"
        )
    if compared["best"] is not None:
        for name, (value, end) in compared["at_the_edge"].items():
            yield f"{name} {in_words(value)} of the best run is the {end} that was tried: try {_BEYOND[end]} ones"
    for run in compared["runs"]:
        if run["missing_folds"]:
            missing = numbered("fold", run["missing_folds"])
            yield f"{run['run_name']} is not trained to its end in {missing}, and stands last"
    yield from _undefined(compared)
    tested = [run["run_name"] for run in compared["runs"] if run["tested"]]
    if tested:
        yield f"a call that opens the test cases has been made before for {listed(tested)}"


def _undefined(compared: Mapping[str, Any]) -> Iterator[str]:
    """The runs that have all folds and do not define the metric in some, by these folds."""
    by, runs = compared["by"], [run for run in compared["runs"] if not run["missing_folds"]]
    found: dict[tuple[int, ...], list[str]] = {}
    for run in runs:
        found.setdefault(tuple(fold["fold"] for fold in run["folds"] if fold[by] is None), []).append(run["run_name"])
    whole = found.pop((), [])
    place = f", after {counted(len(whole), 'run')} with all of its folds" if whole else ""
    for folds, names in found.items():
        yield (
            f"the {_WORDS[by]} is undefined in {numbered('fold', folds)} of {listed(names)}: ranked by the mean over "
            f"the others{place}"
        )
