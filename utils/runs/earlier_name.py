"""Runs under the default names of before: those of models without forms ended in `_released`, and none had a seed."""

from __future__ import annotations

import logging
from dataclasses import replace

from utils.command.settings import RunSettings
from utils.runs.run_record import read_run

logger = logging.getLogger(__name__)


def where_it_began(settings: RunSettings) -> RunSettings:
    """The settings, with the earlier default name where the run that they are to go on with lies under that one.

    Only for calls that need or keep what is there, and have no `--run_name` of their own: a run is never begun anew
    in silence because its default name has changed.

    Raises:
        UserError: for a `run.json` under the earlier name that cannot be read.
    """
    keeps = settings.resume or settings.stage in ("test", "explain")
    form = settings.model_options.get("formulation", "released")
    earlier = "_".join([settings.model, form, *(f"no_{part}" for part in settings.model_options.get("ablate", ()))])
    now, before = settings.run_dir, settings.run_dir.with_name(earlier)
    if settings.run_name is not None or not keeps or now == before or (now / "run.json").exists():
        return settings
    if not (before / "run.json").exists():
        return settings
    run = read_run(before)
    begun = run["model"], run["seed"], run["settings"].get("unit", "slide")
    if begun != (settings.model, settings.seed, settings.unit):
        return settings
    logger.info("%s was begun under the default name of an earlier version, and goes on there", before)
    return replace(settings, run_name=earlier)
