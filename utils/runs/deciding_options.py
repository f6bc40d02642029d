"""The options that decide the numbers of a run, and those in which several runs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from utils.command.settings import RANDOM
from utils.runs.continuation import FREE
from utils.runs.features_of_runs import features_as_options
from utils.runs.protocol import completed

_NO_VALUE = "–"


def deciding_options(run: Mapping[str, Any]) -> dict[str, Any]:
    """{option: value} of all that decides the numbers of a run, as `run.json` has it (`read_run`).

    `anchors` is `random` or `fitted`, since the path says no more of them; a model that takes none has neither them nor
    their number. `feature_norm` is that of the features, which fitted anchors bring with them.
    """
    settings = completed(run)["settings"]
    options = {"model": run["model"], **{name: value for name, value in settings.items() if name not in FREE}}
    options["anchors"] = RANDOM if settings.get("anchors") == RANDOM else "fitted"
    options["feature_norm"] = run.get("feature_norm", settings.get("feature_norm"))
    if not run.get("takes_anchors", run["model"] == "mico"):  # of before it was recorded, when MiCo alone took them
        options = {name: value for name, value in options.items() if name not in ("anchors", "n_clusters")}
    return options


def compared_options(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The options of each run, and `features` beside them where runs are known to be of different ones."""
    return [deciding_options(run) | more for run, more in zip(runs, features_as_options(runs), strict=True)]


def differing_names(options: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names that two of the mappings have with different values, in the order in which the first have them.

    Runs whose model does not take an option have no value of it: they differ by their model.

    >>> differing_names([{"lr": 0.1, "seed": 1}, {"lr": 0.2, "dropout": 0.5, "seed": 1}])
    ['lr']
    """
    names = dict.fromkeys(name for values in options for name in values)
    return [name for name in names if len({repr(values[name]) for values in options if name in values}) > 1]


def in_words(value: Any) -> str:
    """The value of an option for a reader.

    >>> in_words(0.0002), in_words(["route", "reducer"]), in_words(True), in_words(None)
    ('0.0002', 'route reducer', 'yes', '–')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value)) or _NO_VALUE
    return _NO_VALUE if value is None else str(value)
