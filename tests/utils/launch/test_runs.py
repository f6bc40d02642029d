"""Which parts of a run are pieces: its folds, and all of it where this machine has not what computes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.launch import runs
from utils.launch.piece import Ended, Piece, Watcher


class InThisProcess:
    """A launcher that does the pieces one after the other; those of `fails` fail."""

    n_slots, cpus, own_memory = 3, None, False

    def __init__(self, device: str, fails: str = "") -> None:
        self.device, self.fails, self.pieces = device, fails, list[Piece]()

    def run(self, pieces: Sequence[Piece], watcher: Watcher) -> list[Ended]:
        self.pieces = list(pieces)
        ended = [Ended(each.label, int(each.label == self.fails), "why") for each in pieces]
        for piece, result in zip(pieces, ended, strict=True):
            watcher.started(piece)
            if not result.status:
                piece.work()
            watcher.ended(piece, result)
        return ended


@pytest.fixture
def done() -> list[tuple[object, ...]]:
    return []


@pytest.fixture
def steps(done: list[tuple[object, ...]]) -> runs.Steps:
    return runs.Steps(
        lambda settings, n_slots=None: done.append(("begin", settings.device, n_slots)),
        lambda settings: done.append(("fold", settings.folds)),
        lambda settings: done.append(("end",)),
    )


@pytest.fixture
def settings(tmp_path: Path) -> RunSettings:
    for name in ("features", "splits"):
        (tmp_path / name).mkdir()
    (tmp_path / "features" / "a.pt").touch()
    for k in (0, 1):
        (tmp_path / "splits" / f"fold{k}.csv").touch()
    return RunSettings(
        task="cls",
        dataset="toy",
        features_dir=(tmp_path / "features",),
        splits_dir=tmp_path / "splits",
        anchors="random",
        results_dir=tmp_path / "results",
        launcher="local",
        model_options={},
    )


def launch(monkeypatch: pytest.MonkeyPatch, launcher: InThisProcess, *parts: object) -> None:
    monkeypatch.setattr(runs, "launcher_of", lambda options, device: launcher)
    runs.launch_run(*parts)


def test_folds_are_pieces_between_the_beginning_and_the_end(monkeypatch, steps, settings, done):
    launcher = InThisProcess("cpu")
    launch(monkeypatch, launcher, settings, steps)
    assert [piece.label for piece in launcher.pieces] == ["fold 0", "fold 1"]
    assert done == [("begin", "cpu", 3), ("fold", (0,)), ("fold", (1,)), ("end",)]


@pytest.mark.parametrize("gpus", [[], ["0"]])
def test_where_the_gpus_are_on_other_machines_all_is_pieces(monkeypatch, steps, settings, done, gpus):
    monkeypatch.setattr(runs, "visible_gpus", lambda: gpus)
    launcher = InThisProcess("cuda")
    launch(monkeypatch, launcher, settings, steps)
    around = (["beginning"], ["end"]) if not gpus else ([], [])
    assert [piece.label for piece in launcher.pieces] == [*around[0], "fold 0", "fold 1", *around[1]]
    assert done == [("begin", "cuda", 3), ("fold", (0,)), ("fold", (1,)), ("end",)]
    if not gpus:
        begin, *folds, end = launcher.pieces
        assert [fold.needs for fold in folds] == [("beginning",)] * 2
        assert end.needs == ("fold 0", "fold 1")
        assert settings.features_dir[0] in begin.folders


def test_a_fold_that_fails_is_told_and_nothing_is_made_of_the_others(monkeypatch, steps, settings, done):
    with pytest.raises(UserError, match=r"1 of 2 folds failed \(fold 1: why\): see the logs in "):
        launch(monkeypatch, InThisProcess("cpu", fails="fold 1"), settings, steps)
    assert ("end",) not in done
