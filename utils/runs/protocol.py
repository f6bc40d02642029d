"""What of the training no option decides and the code has changed: `run.json` says of each run how it was.

A run goes on only under the protocol that it was begun with; otherwise its folds would not belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from utils.command.arguments import REQUIRED, names_of
from utils.command.settings import RunSettings, plain_options
from utils.runs.tasks import TASKS

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Fact:
    """One thing about the training.

    Attributes:
        name: in `run.json`.
        before: what it was in runs whose record does not have it.
        now: what it is.
        matters: whether it has an effect on a run with these settings.
    """

    name: str
    before: str
    now: str
    matters: Callable[[Settings], bool]


FACTS = (
    Fact(
        "start of Lookahead's slow weights",
        before="at the initial weights",
        now="at the first synchronisation",
        matters=lambda settings: settings.get("optimizer") == "ranger",
    ),
    Fact(
        "loss of an accumulation window",
        before="divided by its cases",
        now="divided by grad_accum, also where the window is shorter",
        matters=lambda settings: settings.get("grad_accum", 1) != 1,
    ),
    Fact(
        "gradient of N_k in Eq. 3",
        before="none",
        now="that of the assignment",
        matters=lambda settings: (
            settings.get("formulation") == "paper" and "route" not in (settings.get("ablate") or ())
        ),
    ),
)


def protocol_of(settings: Settings) -> dict[str, str]:
    """{name: how it is} of the facts that matter for these settings, as `run.json` has them."""
    return {fact.name: fact.now for fact in FACTS if fact.matters(settings)}


def options_before(task: str) -> dict[str, str]:
    """The options of the training that older records lack, and what they would have been then."""
    return {"monitor": TASKS[task].monitors[0], "tie_rule": "first"}


def defaults_of_then(new: Mapping[str, Any]) -> dict[str, Any]:
    """What the options that decide results were where a record lacks them, by the record of a new call.

    Such an option is younger than the run: it had no effect then, which is what its default means, unless
    `options_before` says otherwise. So a new option keeps no old run from going on.
    """
    deciding = names_of(RunSettings, "results")
    own = {field.name: field.default for field in fields(RunSettings) if field.name in deciding}
    of_main = {name: value for name, value in plain_options(own).items() if value is not REQUIRED}
    return {**of_main, **new.get("model_defaults", {})}


def has_ties(settings: Settings) -> bool:
    """Whether `tie_rule` has something to decide: epochs of the same loss cannot be told apart by the loss."""
    return settings.get("monitor") != "val_loss"


def completed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a run (`run.json`), and where it was written before something was recorded, what was true then."""
    settings = {"unit": "slide", **options_before(record["task"]), **record["settings"]}
    before = {fact.name: fact.before for fact in FACTS if fact.matters(settings)}
    return {**record, "settings": settings, "protocol": {**before, **record.get("protocol", {})}}
