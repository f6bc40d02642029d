"""The pieces of a run: its beginning, each fold, and the end with its tables, figures and report."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from utils.command.launch_options import CPU, LaunchOptions
from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.files.phrases import counted
from utils.launch.launchers import launcher_of
from utils.launch.piece import Launcher, Piece
from utils.launch.slots import visible_gpus
from utils.machine.memory import free_memory
from utils.runs.run_dir import fold_dir

logger = logging.getLogger(__name__)

Step = Callable[[RunSettings], object]


@dataclass(frozen=True)
class Steps:
    """What the pieces of a run do, with its settings.

    Attributes:
        begin: checks all folds, and makes the folder of the run ready; it is told how many pieces share the cores of
            a machine.
        fold: computes the only fold of the settings.
        end: writes what is made of all folds.
    """

    begin: Callable[[RunSettings, int | None], object]
    fold: Step
    end: Step


def launch_run(settings: RunSettings, steps: Steps) -> None:
    """Run the folds of a run as its launcher does, between the checks of all and the tables of all.

    Raises:
        UserError: as its beginning and its launcher do, and where a fold failed.
    """
    from datasets.folds.splits import find_folds  # slow to import
    from utils.launch.progress import run_with_progress
    from utils.launch.slurm.launcher import written
    from utils.pipeline.places import check_run_places
    from utils.runs.earlier_name import where_it_began

    launcher = launcher_of(settings, device=settings.device)
    # What the pieces do is the same as without a launcher, and recorded as that.
    alone: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(LaunchOptions)}
    options, settings = settings, where_it_began(replace(settings, device=launcher.device, **alone))
    settings = replace(settings, threads=settings.threads or launcher.cpus)
    n_slots, log = shared_by(launcher), log_of(settings)
    # The beginning and the end are pieces, too, where this machine is not one that computes.
    whole = options.submits or (launcher.device != CPU and not visible_gpus())
    if whole:
        places = settings.features_dir, settings.splits_dir, settings.folds, settings.anchors
        check_run_places(*places, slides_dir=settings.slides_dir)
    else:
        steps.begin(settings, n_slots)
    folds = settings.folds or tuple(find_folds(settings.splits_dir))
    if whole:
        pieces = run_pieces(settings, folds, steps, n_slots=n_slots, label="", log=log)
    else:
        pieces = fold_pieces(settings, folds, steps.fold, n_slots=n_slots, label="", log=log)
    if options.dry_run:
        logger.info(written(pieces, launcher))
        return
    number = counted(len(pieces), "piece" if whole else "fold")
    logger.info("%s, %d at a time; logs in %s", number, launcher.n_slots, log.parent)
    failed = [piece for piece in run_with_progress(pieces, launcher) if piece.status]
    if failed:
        raise UserError(
            f"{len(failed)} of {number} failed ({failed[0].label}: {failed[0].said}): see the logs in {log.parent}, "
            "and pass --resume to go on with what is left"
        )
    if not whole:
        steps.end(settings)


def shared_by(launcher: Launcher) -> int | None:
    """How many pieces share the memory and the cores of a machine; None where each has its own."""
    return None if launcher.own_memory else launcher.n_slots


def fold_pieces(
    settings: RunSettings,
    folds: Sequence[int],
    step: Step,
    *,
    n_slots: int | None,
    label: str,
    log: Path,
    needs: str = "",
) -> list[Piece]:
    """A piece for each fold of a run whose folder is ready.

    Args:
        settings: of the run.
        folds: the numbers of its folds.
        step: computes one.
        n_slots: how many pieces share the memory of the machine; None where each has its own.
        label: of the run; empty where it is the only one, so that each fold is told of by itself.
        log: of the run; those of the folds are beside it.
        needs: the label of the piece that makes the folder ready, or empty.
    """
    again = settings.stage == "test" and settings.overwrite  # otherwise what is there is of this call, and is kept
    shared = replace(
        settings, resume=not again, overwrite=again, on_change="error", cache_gb=_share_of_memory(settings, n_slots)
    )
    pieces = []
    for k in folds:
        name = f"{label}, fold {k}" if label else f"fold {k}"
        pieces.append(
            Piece(
                name,
                label or name,
                "fold",
                partial(step, replace(shared, folds=(k,))),
                "main.py",
                log.with_name(f"{log.name.removesuffix('.log')}_fold{k}.log"),
                needs=(needs,) if needs else (),
                places=(fold_dir(settings.run_dir, k),),
                folders=_folders_of(settings),
            )
        )
    return pieces


def run_pieces(
    settings: RunSettings,
    folds: Sequence[int],
    steps: Steps,
    *,
    n_slots: int | None,
    label: str,
    log: Path,
    needs: str = "",
) -> list[Piece]:
    """All pieces of a run; without folds its beginning alone, which says what is wrong with them.

    Args:
        settings: of the run.
        folds: the numbers of its folds.
        steps: what its pieces do.
        n_slots: how many pieces share the memory of the machine; None where each has its own.
        label: of the run; empty where it is the only one, so that each piece is told of by itself.
        log: of its beginning and end; those of the folds are beside it.
        needs: the label of a piece that has to end well before, or empty.
    """
    before, names = (needs,) if needs else (), [f"{label}, {what}" if label else what for what in ("beginning", "end")]
    work = partial(steps.begin, settings, n_slots)
    begin = Piece(names[0], label or names[0], "begin", work, "main.py", log, before, folders=_folders_of(settings))
    if not folds:
        return [begin]
    pieces = fold_pieces(settings, folds, steps.fold, n_slots=n_slots, label=label, log=log, needs=begin.label)
    after = tuple(piece.label for piece in pieces)
    end = Piece(names[1], label or names[1], "end", partial(steps.end, settings), "main.py", log, after)
    return [begin, *pieces, end]


def log_of(settings: RunSettings) -> Path:
    """The log of a run in `RESULTS/logs/`."""
    name = f"{settings.task}_{settings.dataset}_{settings.run_dir.name}.log"
    return settings.results_dir / "logs" / name


def _folders_of(settings: RunSettings) -> tuple[Path, ...]:
    anchors = [] if settings.anchors in (None, "random") else [Path(settings.anchors).parent]
    slides = [settings.slides_dir] if settings.slides_dir is not None else []
    return (*settings.features_dir, settings.splits_dir, *anchors, settings.results_dir, *slides)


def _share_of_memory(settings: RunSettings, n_slots: int | None) -> float | None:
    """`--cache_gb` of each piece: without one, they share what `utils.pipeline.inputs.slide_cache` would take."""
    if n_slots is None or settings.cache == "none" or settings.cache_gb is not None:
        return settings.cache_gb
    from utils.pipeline.inputs import CACHE_SHARE

    return CACHE_SHARE * free_memory() / 1e9 / n_slots
