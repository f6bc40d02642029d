"""Options that belong to models: on the command line together, checked for the model that is chosen.

Which models there are, and which options they take, comes in as data (`utils.pipeline.model_options`): this room knows
no models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from utils.command.limits import Limits
from utils.errors import UserError


@dataclass(frozen=True)
class SharedOption:
    """An option that one or several models take, under one name and with one meaning.

    Attributes:
        name: of the option.
        kind: `int`, `float`, `str` or `bool`; of each value where there are several.
        help: what `--help` says, with the default and the models.
        defaults: {model: default} of the models that take it.
        choices: the possible values; None where any value of the kind goes.
        many: whether it takes several values.
        limits: the numbers that it may have; None where any finite one goes, or its class knows.
    """

    name: str
    kind: type
    help: str
    defaults: Mapping[str, Any]
    choices: tuple[str, ...] | None = None
    many: bool = False
    limits: Limits | None = None


NEEDS_LABELS = {"instance_weight": "CLAM's instance loss"}


def resolve_model_options(
    options: Mapping[str, SharedOption], *, model: str, task: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """All options of a model: the given ones, and the defaults of the others.

    An option of another model may be given with its default, so that one command line serves all models.

    Args:
        options: of all models.
        model: the chosen one.
        task: `cls` or `surv`.
        given: what the user asked for; no option that is not in `options`.

    Raises:
        UserError: for an option that the model does not take or that has no meaning for the task, and for a value that
            it cannot have.
    """
    chosen = {name: shared.defaults[model] for name, shared in options.items() if model in shared.defaults}
    for name, listed in given.items():
        value = tuple(listed) if isinstance(listed, list) else listed
        takers = options[name].defaults
        _check_value(options[name], value)
        if value in takers.values() and model not in takers:
            continue
        if model not in takers:
            raise UserError(f"got --{name} with --model {model}, expected it with {_alternatives(list(takers))} only")
        if name in NEEDS_LABELS and task != "cls" and value != takers[model]:
            raise UserError(f"got --{name} with --task {task}, expected --task cls: {NEEDS_LABELS[name]} needs labels")
        chosen[name] = value
    return chosen


def _check_value(shared: SharedOption, value: Any) -> None:
    for item in value if shared.many else (value,):
        if shared.choices is not None and item not in shared.choices:
            raise UserError(f"got --{shared.name} {item}, expected one of {', '.join(shared.choices)}")
        if shared.kind is float and not math.isfinite(item):
            raise UserError(f"got --{shared.name} {item}, expected a finite number")
        if shared.limits is not None and not shared.limits.contain(item):
            raise UserError(f"got --{shared.name} {item}, expected {shared.limits.in_words()}")


def _alternatives(names: list[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
