"""What differs between the runs of a cohort: a column for each option, validation beside test metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from utils.files.phrases import listed
from utils.report.content import UNDEFINED, Cell, Table
from utils.report.seed_pools import SeedPool, options_of
from utils.report.validation_metrics import VALIDATION_NOTE, validation_word
from utils.runs.deciding_options import differing_names
from utils.runs.features_of_runs import features_as_options
from utils.runs.tasks import METRIC_WORDS
from utils.tables.averages import mean_text

_SEED = "seed"
_NAMED_BY_THE_MODEL = ("model", "formulation", "ablate")


def _seeds(pool: SeedPool) -> str:
    return listed(pool.seeds)


def option_table(pools: Sequence[SeedPool]) -> Table | None:
    """A row per run, or runs of several seeds, with the options in which they differ; None where they are alike.

    An option that a model does not have is no difference. Runs whose test cases are not opened yet have a row too.
    """
    shown = zip(pools, features_as_options([pool.first.run for pool in pools]), strict=True)
    options_of_pools = [options_of(pool.first) | features | {_SEED: _seeds(pool)} for pool, features in shown]
    names = [name for name in differing_names(options_of_pools) if name not in _NAMED_BY_THE_MODEL]
    if len(pools) < 2 or not (names or len({pool.model for pool in pools}) > 1):
        return None
    metric = pools[0].metric
    has_validation = any(pool.validation["n_defined"][metric] for pool in pools)
    is_tested = any(pool.folds for pool in pools)
    words = [*([validation_word(metric)] if has_validation else []), *([METRIC_WORDS[metric]] if is_tested else [])]
    header = ("run", "model", *names, *words)
    rows = []
    for pool, options in zip(pools, options_of_pools, strict=True):
        measured = [*([pool.validation] if has_validation else []), *([pool.averages] if is_tested else [])]
        rows.append(
            (
                Cell(pool.name),
                Cell(pool.model),
                *(_option(options[name]) if name in options else Cell(UNDEFINED) for name in names),
                *(Cell(mean_text(averages, metric), averages["mean"][metric]) for averages in measured),
            )
        )
    notes = ("Mean ± population standard deviation over folds.", *([VALIDATION_NOTE] if has_validation else []))
    return Table("What differs between the runs", header, tuple(rows), notes=notes)


def _option(value: Any) -> Cell:
    if value is None:
        return Cell("none")
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, (int, float)):
        return Cell(f"{value:g}", float(value))
    return Cell(", ".join(map(str, value)) if isinstance(value, list) else str(value))
