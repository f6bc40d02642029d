"""What is looked for before a run: one sentence about the first thing that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from utils.errors import UserError
from utils.pipeline.places import check_clustering_places, check_run_places


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("features/s1.pt", "splits/fold0.csv", "splits/fold2.csv", "anchors_0.pt", "empty/readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def check(
    place: Path, features: str = "features", splits: str = "splits", folds=None, anchors="random", **more
) -> None:
    source = anchors if anchors == "random" else str(place / anchors)
    check_run_places([place / features], place / splits, folds, source, **more)


def test_what_is_there_passes(place: Path):
    check(place)
    check(place, folds=(2, 0), slides_dir=place / "empty")
    check(place, folds=(0,), anchors="anchors_{fold}.pt")
    check(place, anchors="features")  # slide anchors: a directory
    check_clustering_places([place / "features"], None)
    check_clustering_places([place / "features"], [place / "splits/fold0.csv"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": "nowhere"}, "the feature directory .*nowhere does not exist"),
        ({"features": "empty"}, "no feature file found in .*empty"),
        ({"splits": "nowhere"}, "the splits directory .*nowhere does not exist"),
        ({"splits": "empty"}, "no fold file in .*empty"),
        ({"folds": (0, 1)}, r"got --folds 1, expected a file .*fold1\.csv: the directory holds fold 0, 2"),
        (
            {"anchors": "anchors_{fold}.pt"},
            r"no anchor file at .*anchors_2\.pt: fit the anchors with run_clustering\.py",
        ),
        ({"slides_dir": Path("nowhere")}, "got --slides_dir nowhere, expected a directory of slide images"),
    ],
)
def test_what_is_missing_is_named(place: Path, changes: dict, words: str):
    with pytest.raises(UserError, match=words):
        check(place, **changes)


def test_what_clustering_misses_is_named(place: Path):
    with pytest.raises(UserError, match=r"no feature file found in .*empty"):
        check_clustering_places([place / "empty"], None)
    with pytest.raises(UserError, match=r"got --fold_csv .*fold1\.csv, which is no file"):
        check_clustering_places([place / "features"], [place / "splits/fold0.csv", place / "splits/fold1.csv"])
