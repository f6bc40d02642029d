"""Which pieces are submitted together, and which are left to do."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.utils.launch.slurm import work
from tests.utils.launch.slurm.work import piece
from utils.command.settings import RunSettings
from utils.launch.piece import Ended, Piece
from utils.launch.slurm.record import write_ended
from utils.launch.slurm.stages import at_work, left_to_do, stages_of
from utils.pipeline import record


def run_of(
    place: Path, name: str, *, resume: bool = True, needs: tuple[str, ...] = (), stage: str = "all"
) -> list[Piece]:
    """The pieces of a run of two folds."""
    settings = RunSettings(
        task="cls", dataset="toy", features_dir=(place,), splits_dir=place, anchors="random", results_dir=place,
        run_name=name, model_options={}, resume=resume, stage=stage,
    )  # fmt: skip
    label = name if stage == "all" else f"{name}, {stage}"
    step, log = partial(work.say, settings), place / "logs" / f"{name}_{stage}.log"

    def of(what: str, kind: str, path: Path, *needed: str) -> Piece:
        return Piece(f"{label}, {what}", label, kind, step, "main.py", path, needed)

    begin = of("beginning", "begin", log, *needs)
    folds = [of(f"fold {k}", "fold", log.with_name(f"{name}_{stage}_fold{k}.log"), begin.label) for k in (0, 1)]
    return [begin, *folds, of("end", "end", log, *labels(folds))]


def labels(pieces: list[Piece]) -> list[str]:
    return [piece.label for piece in pieces]


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of runs whose folds are finished."""
    names: set[str] = set()
    monkeypatch.setattr(record, "has_finished", lambda settings: settings.run_name in names)
    return names


def test_a_stage_is_a_kind_and_explanations_begin_again(tmp_path: Path):
    anchors = piece(tmp_path, "anchors", work.say, kind="anchors")
    pieces = [anchors, *run_of(tmp_path, "a", needs=("anchors",)), *run_of(tmp_path, "b")]
    pieces += run_of(tmp_path, "a", needs=("a, end",), stage="explain")
    stages = stages_of(pieces, longest=1000)
    assert [(stage.kind, len(stage.pieces), [stages.index(other) for other in stage.after]) for stage in stages] == [
        ("anchors", 1, []),
        ("begin", 2, [0]),
        ("fold", 4, [1]),
        ("end", 2, [2]),
        ("begin", 1, [3]),
        ("fold", 2, [4]),
        ("end", 1, [5]),
    ]


def test_long_stages_are_several_arrays_after_what_they_need_alone(tmp_path: Path):
    pieces = [*run_of(tmp_path, "a"), *run_of(tmp_path, "b")]
    stages = stages_of(pieces, longest=2)
    assert [(stage.kind, len(stage.pieces), [stages.index(other) for other in stage.after]) for stage in stages] == [
        ("begin", 2, []),
        ("fold", 2, [0]),
        ("fold", 2, [0]),
        ("end", 2, [1, 2]),
    ]


def test_finished_folds_are_kept_and_what_comes_before_is_done_only_for_others(tmp_path: Path, finished: set[str]):
    anchors = piece(tmp_path, "anchors", work.say, kind="anchors")
    a, b = run_of(tmp_path, "a", needs=("anchors",)), run_of(tmp_path, "b", needs=("anchors",))
    assert left_to_do([anchors, *a, *b], ()) == [anchors, *a, *b]
    finished.add("a")
    assert left_to_do([anchors, *a, *b], ()) == [anchors, a[3], *b]  # its tables are made by this launch
    write_ended(a[3], Ended(a[3].label, 0, ""))
    assert left_to_do([anchors, *a, *b], ()) == [anchors, *b]
    finished.add("b")
    assert left_to_do([anchors, *a, *b], ()) == [b[3]]
    write_ended(b[3], Ended(b[3].label, 2, "failed"))
    assert left_to_do([anchors, *a, *b], ()) == [b[3]]


def test_a_run_that_begins_anew_keeps_nothing(tmp_path: Path, finished: set[str]):
    finished.add("a")
    a = run_of(tmp_path, "a", resume=False)
    assert left_to_do(a, ()) == a


def test_a_run_with_a_piece_in_the_queue_is_left_as_it_is(tmp_path: Path, finished: set[str]):
    a, b = run_of(tmp_path, "a", resume=False), run_of(tmp_path, "b")
    assert at_work([*a, *b], [a[1].label]) == set(labels(a))
    assert left_to_do([*a, *b], [a[1].label]) == b
