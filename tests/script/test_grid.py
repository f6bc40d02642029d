"""The grid of options, and the runs that it stands for."""

from __future__ import annotations

import re

import pytest

from script.grid import read_grid, trials_of
from utils.errors import UserError


def test_a_grid():
    assert read_grid("\n lr  1e-4 2e-4\n# dropout 0.5\n--n_clusters: 32\n") == {
        "lr": ["1e-4", "2e-4"],
        "n_clusters": ["32"],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "found no option in the grid, expected lines such as: lr 1e-4"),
        ("lr", "found no value in line 1 of the grid ('lr')"),
        ("lr 1 2 1", "found 1 twice in line 1"),
        ("lr 1\nlr 2", "found lr twice, again in line 2"),
        (
            "learning_rate 1",
            "found learning_rate in line 1 of the grid ('learning_rate 1'), expected one of ablate, alpha_surv",
        ),
        ("seed 1 2", "the luckiest seed is no better setting"),
        ("device cpu cuda", "found device in line 1"),
        ("feature_norm none l2", "it belongs to the anchors"),
    ],
)
def test_a_grid_that_cannot_be_meant(text: str, words: str):
    with pytest.raises(UserError, match=re.escape(words)):
        read_grid(text)


def test_every_combination_has_a_name():
    trials = trials_of({"lr": ["1e-4", "2e-4"], "n_clusters": ["32", "64"]}, model="mico")
    assert [trial.run_name for trial in trials] == [
        "tune_lr_1e-4_n_clusters_32",
        "tune_lr_1e-4_n_clusters_64",
        "tune_lr_2e-4_n_clusters_32",
        "tune_lr_2e-4_n_clusters_64",
    ]


def test_what_a_model_does_not_take_makes_no_runs_of_its_own():
    grid = {"model": ["mico", "meanpool"], "n_clusters": ["32", "64"], "similarity": ["l2", "dot"]}
    trials = trials_of(grid, model="mico")
    assert [dict(trial.options) for trial in trials[4:]] == [{"model": "meanpool"}]
    assert len(trials) == 5


@pytest.mark.parametrize(
    ("grid", "model", "words"),
    [
        ({"model": ["mico", "micro"]}, "mico", "got the model micro"),
        ({"lr": ["1"]}, "micro", "got the model micro"),
        ({"lr": ["1"], "n_clusters": ["32", "64"]}, "abmil", "found n_clusters in the grid, which abmil does not take"),
        ({"similarity": ["l2"]}, "abmil", "found similarity in the grid, which abmil does not take"),
    ],
)
def test_what_no_model_takes(grid: dict[str, list[str]], model: str, words: str):
    with pytest.raises(UserError, match=re.escape(words)):
        trials_of(grid, model=model)


def test_options_without_a_value_are_switched():
    trials = trials_of(read_grid("weighted_sampling no yes\nlr 1"), model="mico")
    assert [trial.words for trial in trials] == [["--lr", "1"], ["--weighted_sampling", "--lr", "1"]]
    assert trials[1].run_name == "tune_weighted_sampling_yes_lr_1"
