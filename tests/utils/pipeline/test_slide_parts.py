"""Slides in parts: about as large each, all of them once, and fitted as all at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import run_clustering
from datasets.slides.features import write_slide
from tests.soak.comparison import contents
from utils.command.clustering_settings import ClusteringSettings
from utils.errors import UserError
from utils.files.locks import HeldError, locked
from utils.pipeline.slide_anchors import place_of_part
from utils.pipeline.slide_parts import divided, fit_part, left_in, number_of_parts, slide_directories


def settings(place: Path, **changes) -> ClusteringSettings:
    given = {"dataset_name": "D", "input_dir": (place / "features",), "output_dir": place / "out", "n_clusters": 4}
    return ClusteringSettings(**{**given, "scope": "slide", **changes})


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    for number in range(7):
        generator = torch.Generator().manual_seed(number)
        write_slide(tmp_path / "features" / f"s{number}.pt", torch.randn(10 * number + 3, 5, generator=generator))
    return tmp_path


def test_parts_are_about_as_large_and_have_each_slide_once():
    sizes = {f"s{number:02d}": (number * 37) % 101 + 1 for number in range(50)}
    parts = divided(sizes, 4)
    assert sorted(slide_id for part in parts for slide_id in part) == sorted(sizes)
    assert all(part == sorted(part) for part in parts)
    totals = [sum(sizes[slide_id] for slide_id in part) for part in parts]
    assert max(totals) - min(totals) <= max(sizes.values())
    assert divided(sizes, 4) == parts


@pytest.mark.parametrize(
    ("sizes", "n_processes", "expected"),
    [
        ({"a": 1}, 8, 1),  # no more than slides
        (dict.fromkeys(map(str, range(100)), 10), 2, 2),  # a part for each process, however small
        (dict.fromkeys(map(str, range(100)), 2**28), 2, 8),  # some for each, however large
        (dict.fromkeys(map(str, range(10)), 2**27), 2, 5),
        ({}, 2, 1),
    ],
)
def test_the_number_of_parts(sizes: dict[str, int], n_processes: int, expected: int):
    assert number_of_parts(sizes, n_processes) == expected


def test_the_directories_are_those_of_folds_only_where_these_set_the_scale(tmp_path: Path):
    folds = tuple(tmp_path / f"fold{k}.csv" for k in range(2))
    assert [path.name for path in slide_directories(settings(tmp_path, fold_csv=folds))] == ["D_C_4_slides"]
    scaled = slide_directories(settings(tmp_path, fold_csv=folds, feature_norm="zscore"))
    assert [path.name for path in scaled] == ["D_C_4_slides_fold0", "D_C_4_slides_fold1"]
    assert [fitting.fold_csv for fitting in scaled.values()] == list(folds)
    alone = slide_directories(settings(tmp_path, feature_norm="zscore"))
    assert [path.name for path in alone] == ["D_C_4_slides"]


@pytest.mark.parametrize("feature_norm", ["none", "zscore"])
def test_all_parts_are_what_one_process_writes(cohort: Path, feature_norm: str):
    run_clustering.run(settings(cohort, output_dir=cohort / "whole", feature_norm=feature_norm))
    call = settings(cohort, feature_norm=feature_norm)
    run_clustering.begin_run(call)
    assert left_in(call) == 7
    for part in (2, 0, 1):
        fit_part(call, part, 3)
    assert left_in(call) == 0
    assert contents(cohort / "out") == contents(cohort / "whole")


def test_a_part_keeps_what_is_done(cohort: Path):
    call = settings(cohort)
    run_clustering.begin_run(call)
    fit_part(call, 0, 2)
    before = {path: path.stat().st_mtime_ns for path in (cohort / "out" / "D_C_4_slides").iterdir()}
    assert 0 < len(before) < 7
    fit_part(call, 0, 2)
    fit_part(call, 1, 2)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_part_that_another_process_fits_is_held_and_so_are_all_where_one_fits_all(cohort: Path):
    call, directory = settings(cohort), cohort / "out" / "D_C_4_slides"
    run_clustering.begin_run(call)
    with locked(place_of_part(directory, 0, 2)):
        with pytest.raises(HeldError, match="part_1_of_2"):
            fit_part(call, 0, 2)
        with pytest.raises(HeldError, match="part_1_of_2"):  # one process for all
            run_clustering.run(call)
        fit_part(call, 1, 2)
        run_clustering.begin_run(call)  # of the same command: the record is as it was
        with pytest.raises(HeldError, match="part_1_of_2"):
            run_clustering.begin_run(settings(cohort, seed=7, overwrite=True))
    with locked(directory), pytest.raises(HeldError, match="D_C_4_slides is being written"):
        fit_part(call, 0, 2)
    fit_part(call, 0, 2)
    assert left_in(call) == 0


def test_a_part_of_other_anchors_than_are_there_by_now_is_not_fitted(cohort: Path):
    call = settings(cohort)
    run_clustering.begin_run(call)
    run_clustering.begin_run(settings(cohort, seed=7, overwrite=True))
    with pytest.raises(UserError, match="was made with other options"):
        fit_part(call, 0, 2)
    assert json.loads((cohort / "out" / "D_C_4_slides.json").read_text())["seed"] == 7
    assert not list((cohort / "out").glob("D_C_4_slides/*.pt"))
