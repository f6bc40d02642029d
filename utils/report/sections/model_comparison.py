"""The models of one cohort against MiCo: which runs may be compared, forest chart, paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from utils.errors import UserError
from utils.files.phrases import counted
from utils.paper.run_plan import FORMULATIONS, MICO
from utils.report.charts.chart import Chart, sentences
from utils.report.charts.forest_chart import ForestRow, forest_chart
from utils.report.content import UNDEFINED, Cell, Table, p_value, row
from utils.report.run_results import RunResults
from utils.report.sections.metric_tables import CHANCE
from utils.runs.tasks import METRIC_WORDS
from utils.statistics.holm import holm
from utils.statistics.paired_bootstrap import PairedDifference, Predictions, paired_difference
from utils.statistics.survival_stats import UndefinedMetricError


@dataclass(frozen=True)
class Difference:
    """MiCo (`ours`) minus `other` on the same test cases; `result` is None where `reason` says why there is none."""

    ours: RunResults
    other: RunResults
    result: PairedDifference | None
    reason: str = ""
    p_holm: float | None = None


def reference_runs(runs: Sequence[RunResults]) -> list[RunResults]:
    """The MiCo runs that others may be compared with, best first: predicted, whole (no ablation), all of one form.

    The released form where it is there; among its runs the one with the name that main.py gives, then by name.
    """
    whole = [run for run in runs if run.run["model"] == MICO and not run.run["settings"].get("ablate") and run.tables]
    forms = [*FORMULATIONS, *(run.run["formulation"] for run in whole)]
    whole.sort(key=lambda run: (forms.index(run.run["formulation"]), run.name != _usual_name(run), run.name))
    return [run for run in whole if run.run["formulation"] == whole[0].run["formulation"]]


def _usual_name(run: RunResults) -> str:
    return f"{run.run['model']}_{run.run['formulation']}"


def split_difference(ours: RunResults, other: RunResults) -> str:
    """Why two runs of one cohort cannot be compared, empty if they can: the digests of a split file differ."""
    own, others = ours.run["splits"], other.run["splits"]
    differ = sorted(name for name in own.keys() & others.keys() if own[name] != others[name])
    return f"not comparable: other splits ({', '.join(differ)} differs)" if differ else ""


def differences(runs: Sequence[RunResults], *, seed: int, n_resamples: int) -> list[Difference]:
    """MiCo against each other run of a cohort, in the main metric of its task; empty without a MiCo run.

    A run is compared with the first of the `reference_runs` of its own seed. Each is
    `utils.statistics.paired_bootstrap.paired_difference` over the folds that both have. Holm's correction is left to
    `adjusted`, as its family reaches over cohorts.
    """
    references = reference_runs(runs)
    of_seed = {run.run["seed"]: run for run in reversed(references)}  # the first of each seed
    compared = []
    for run in runs if references else ():
        ours = of_seed.get(run.run["seed"])
        if ours is None:
            reason = f"no {references[0].model} run of its seed, {run.run['seed']}"
            compared.append(Difference(references[0], run, None, reason))
        elif ours is not run:
            compared.append(_difference(ours, run, seed, n_resamples))
    return compared


def adjusted(family: Sequence[Difference]) -> list[Difference]:
    """The same differences with `p_holm`: adjusted for the size of the family."""
    p = holm([None if one.result is None else one.result.p for one in family])
    return [replace(one, p_holm=value) for one, value in zip(family, p, strict=True)]


def difference_table(compared: Sequence[Difference], *, n_resamples: int) -> Table:
    """A row per comparison; those that cannot be made say why."""
    rows = []
    for one in compared:
        names = (one.other.name, one.other.model)
        if one.result is None:
            rows.append(row(*names, *[UNDEFINED] * 4, one.reason))
            continue
        result = one.result
        rows.append(
            row(
                *names,
                Cell(f"{result.difference:+.3f}", result.difference),
                Cell(f"{result.low:+.3f} to {result.high:+.3f}", result.low),
                p_value(result.p),
                p_value(one.p_holm),
                f"{counted(result.n_folds, 'fold')}, {counted(result.n_cases, 'patient')}; {one.ours.name}",
            )
        )
    word, noun = METRIC_WORDS[compared[0].ours.metric], compared[0].ours.task.unit
    return Table(
        caption=f"{word} of {_reference(compared)} minus {word} of the others, on the same test {noun}s",
        header=("against", "model", "difference", "95 % interval", "p", "p (Holm)", "based on"),
        rows=tuple(rows),
        notes=(
            _why_reference(compared),
            f"Interval and two-sided p value of {n_resamples} paired bootstrap resamples of the patients of each fold, "
            "with the trained models held fixed. p (Holm) is adjusted for all comparisons of this metric on this page.",
        ),
    )


def _reference(compared: Sequence[Difference]) -> str:
    names = dict.fromkeys(one.ours.name for one in compared)
    return next(iter(names)) if len(names) == 1 else "the MiCo run of the same seed"


def _why_reference(compared: Sequence[Difference]) -> str:
    references = {one.ours.run["seed"]: one.ours for one in compared}
    form = compared[0].ours.run["formulation"]
    named = "; ".join(f"{run.name} (seed {seed})" for seed, run in sorted(references.items()))
    return (
        f"Reference: {named}: MiCo without ablation, form {form}. Of several such runs of a seed it is the one named "
        f"{_usual_name(compared[0].ours)}, as main.py names them, else the first by name."
    )


def model_forest(runs: Sequence[RunResults], ours: RunResults | None) -> Chart:
    """The main metric of each run with its interval, MiCo emphasised.

    Runs of other splits are left out and said, and those of fewer folds than the fullest run of the cohort are named.
    """
    word, rows, left_out, short = METRIC_WORDS[runs[0].metric], [], [], []
    most = max(len(run.tables) for run in runs)
    for run in runs:
        overall = run.intervals[run.metric].overall if run.intervals else None
        if overall is None or overall.value is None:
            left_out.append(f"{run.name} (undefined)")
        elif ours is not None and split_difference(ours, run):
            left_out.append(f"{run.name} (other splits)")
        else:
            rows.append(ForestRow(run.name, overall.value, overall.low, overall.high, emphasis=run is ours))
            short += [f"{run.name} ({len(run.tables)} of {counted(most, 'fold')})"] if len(run.tables) < most else []
    chart = forest_chart(rows, title=f"{word} of each run, mean over folds", axis=word, reference=CHANCE)
    note = sentences(
        chart.note,
        f"With fewer folds: {', '.join(short)}." if short else "",
        f"Left out: {', '.join(left_out)}." if left_out else "",
    )
    return replace(chart, note=note)


def _difference(ours: RunResults, other: RunResults, seed: int, n_resamples: int) -> Difference:
    reason = split_difference(ours, other) or ("" if other.tables else "no test predictions yet")
    if reason:
        return Difference(ours, other, None, reason)
    try:
        result = paired_difference(_keyed(ours), _keyed(other), ours.metric, seed=seed, n_resamples=n_resamples)
    except (UserError, UndefinedMetricError) as error:
        return Difference(ours, other, None, str(error))
    return Difference(ours, other, result)


def _keyed(run: RunResults) -> Predictions:
    """{(seed of the run, fold): predictions}."""
    return {(run.run["seed"], fold): table for fold, table in run.tables.items()}
