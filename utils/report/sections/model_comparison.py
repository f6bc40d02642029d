"""The models of one cohort against MiCo: which runs may be compared, forest chart, paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from utils.errors import UserError
from utils.files.phrases import counted, numbered
from utils.files.text_table import format_difference
from utils.report.charts.chart import Chart, sentences
from utils.report.charts.forest_chart import ForestRow, forest_chart
from utils.report.content import UNDEFINED, Cell, Table, p_value, row
from utils.report.run_results import RunResults
from utils.report.seed_pools import SeedPool
from utils.runs.run_plan import FORMULATIONS, MICO
from utils.runs.tasks import METRIC_WORDS
from utils.statistics.holm import holm
from utils.statistics.paired_difference import PairedDifference, paired_difference
from utils.statistics.survival_stats import UndefinedMetricError
from utils.tables.below_chance import CHANCE
from utils.tables.difference_text import METHOD, basis_text, interval_text, spread_text


@dataclass(frozen=True)
class Difference:
    """MiCo (`ours`) minus `other` on the same test cases; `result` is None where `reason` says why there is none.

    `p_holm` is adjusted for the `n_comparisons` of the metric that have a p value.
    """

    ours: SeedPool
    other: SeedPool
    result: PairedDifference | None
    reason: str = ""
    p_holm: float | None = None
    n_comparisons: int = 0


def reference_pools(pools: Sequence[SeedPool]) -> list[SeedPool]:
    """The MiCo runs that others may be compared with, best first: predicted, whole (no ablation), all of one form.

    The released form where it is there; among its runs those with the name that main.py gives, then by name.
    """
    whole = [pool for pool in pools if _is_whole_mico(pool.first) and pool.folds]
    forms = [*FORMULATIONS, *(_form(pool) for pool in whole)]
    whole.sort(key=lambda pool: (forms.index(_form(pool)), not _has_usual_name(pool), pool.name))
    return [pool for pool in whole if _form(pool) == _form(whole[0])]


def split_difference(ours: RunResults, other: RunResults) -> str:
    """Why two runs of one cohort cannot be compared, empty if they can: the digests of a split file differ."""
    own, others = ours.run["splits"], other.run["splits"]
    differ = sorted(name for name in own.keys() & others.keys() if own[name] != others[name])
    return f"not comparable: other splits ({', '.join(differ)} differs)" if differ else ""


def differences(pools: Sequence[SeedPool]) -> list[Difference]:
    """MiCo against each other model of a cohort, in the main metric of its task; empty without a MiCo run.

    A model is compared with the first of the `reference_pools` that has a seed of it, over the seeds and folds that
    both have. Each is `utils.statistics.paired_difference.paired_difference`. Holm's correction is left to `adjusted`,
    as its family reaches over cohorts.
    """
    references = reference_pools(pools)
    compared = []
    for pool in pools if references else ():
        ours = next((one for one in references if set(one.seeds) & set(pool.seeds)), None)
        if ours is None:
            reason = f"no {references[0].model} run of its {numbered('seed', pool.seeds)}"
            compared.append(Difference(references[0], pool, None, reason))
        elif ours is not pool:
            compared.append(_difference(ours, pool))
    return compared


def adjusted(family: Sequence[Difference]) -> list[Difference]:
    """The same differences with `p_holm`: adjusted for the size of the family."""
    p = holm([None if one.result is None else one.result.p for one in family])
    n = sum(value is not None for value in p)
    return [replace(one, p_holm=value, n_comparisons=n) for one, value in zip(family, p, strict=True)]


def difference_table(compared: Sequence[Difference]) -> Table:
    """A row per comparison; those that cannot be made say why."""
    rows = []
    has_several = len({one.ours.name for one in compared}) > 1
    for one in compared:
        names = (one.other.name, one.other.model)
        result = one.result
        if result is None:
            rows.append(row(*names, *[UNDEFINED] * 5, one.reason))
            continue
        rows.append(
            row(
                *names,
                Cell(format_difference(result.difference), result.difference),
                Cell(spread_text(result), min(result.by_seed.values()) if result.n_seeds > 1 else None),
                Cell(interval_text(result), result.low),
                p_value(result.p),
                p_value(one.p_holm),
                "; ".join([*_basis(one, result), *([one.ours.name] if has_several else [])]),
            )
        )
    word, noun = METRIC_WORDS[compared[0].ours.metric], compared[0].ours.first.unit
    return Table(
        caption=f"{word} of {_reference(compared)} minus {word} of the others, on the same test {noun}s",
        header=("against", "model", "difference", "by seed", "95 % interval", "p", "p (Holm)", "based on"),
        rows=tuple(rows),
        notes=(
            _why_reference(compared),
            *METHOD,
            f"p (Holm) is adjusted for all comparisons of this metric on this page that have a p{_size(compared)}.",
        ),
    )


def _basis(one: Difference, result: PairedDifference) -> Iterator[str]:
    """What a difference is made of, and what it lacks."""
    yield basis_text(result)
    shared = sorted({*one.ours.seeds} & {*one.other.seeds})
    if len(shared) < max(len(one.ours.seeds), len(one.other.seeds)):  # the means beside it are of other seeds
        yield f"{numbered('seed', shared)} only"
    yield from (f"without fold {fold} ({why})" for fold, why in result.left_out.items())
    if result.reason is not None:
        yield result.reason


def _size(compared: Sequence[Difference]) -> str:
    return f" ({compared[0].n_comparisons} over all data sets)" if compared[0].n_comparisons else ""


def model_forest(pools: Sequence[SeedPool], ours: SeedPool | None) -> Chart:
    """The main metric of each run, or mean of several seeds, with its interval, MiCo emphasised.

    Runs of other splits are left out and said, and those of fewer folds than the fullest run of the cohort are named.
    """
    word, rows, left_out, short = METRIC_WORDS[pools[0].metric], [], [], []
    most = max(len(pool.folds) for pool in pools)
    stems = [pool.stem for pool in pools]
    for pool in pools:
        overall = pool.interval
        if overall.value is None:
            left_out.append(f"{pool.name} (undefined)")
        elif ours is not None and split_difference(ours.first, pool.first):
            left_out.append(f"{pool.name} (other splits)")
        else:
            label = pool.stem if stems.count(pool.stem) == 1 else pool.name
            rows.append(ForestRow(label, overall.value, overall.low, overall.high, emphasis=pool is ours))
            short += [f"{pool.name} ({len(pool.folds)} of {counted(most, 'fold')})"] if len(pool.folds) < most else []
    chart = forest_chart(rows, title=f"{word} of each run, mean over folds", axis=word, reference=CHANCE)
    note = sentences(
        chart.note,
        f"With fewer folds: {', '.join(short)}." if short else "",
        f"Left out: {', '.join(left_out)}." if left_out else "",
    )
    return replace(chart, note=note)


def _is_whole_mico(run: RunResults) -> bool:
    return run.run["model"] == MICO and not run.run["settings"].get("ablate")


def _form(pool: SeedPool) -> str:
    return str(pool.first.run["formulation"])


def _has_usual_name(pool: SeedPool) -> bool:
    return any(run.name == _usual_name(pool) for run in pool.runs)


def _usual_name(pool: SeedPool) -> str:
    return f"{pool.first.run['model']}_{_form(pool)}"


def _reference(compared: Sequence[Difference]) -> str:
    names = dict.fromkeys(one.ours.name for one in compared)
    return next(iter(names)) if len(names) == 1 else "the MiCo run of the same seed"


def _why_reference(compared: Sequence[Difference]) -> str:
    references = {one.ours.name: one.ours for one in compared}
    form = _form(compared[0].ours)
    named = "; ".join(
        pool.name if len(pool.runs) > 1 else f"{pool.name} ({numbered('seed', pool.seeds)})"
        for pool in references.values()
    )
    return (
        f"Reference: {named}: MiCo without ablation, form {form}. Of several such runs of a seed it is the one named "
        f"{_usual_name(compared[0].ours)}, as main.py names them, else the first by name."
    )


def _difference(ours: SeedPool, other: SeedPool) -> Difference:
    reason = split_difference(ours.first, other.first) or ("" if other.folds else "no test predictions yet")
    if reason:
        return Difference(ours, other, None, reason)
    try:
        result = paired_difference(ours.tables, other.tables, ours.metric)
    except (UserError, UndefinedMetricError) as error:
        return Difference(ours, other, None, str(error))
    return Difference(ours, other, result)
