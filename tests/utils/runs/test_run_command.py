"""The command that goes on with a run."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

import main as main_command
from utils.command.settings import as_plain
from utils.runs.run_command import command_of

PLACES = ["--features_dir", "a", "b", "--splits_dir", "s", "--anchors", "a/K_{fold}.pt"]
LINE = ["--task", "surv", "--dataset", "LUAD", *PLACES, "--device", "cpu"]


def parsed(*words: str) -> Any:
    return main_command.settings_of(main_command.get_args_parser().parse_args([*LINE, *words]))


def record(*words: str, **changes: Any) -> dict[str, Any]:
    settings = parsed(*words)
    defaults = {**parsed("--model", settings.model).model_options}
    made = {"settings": as_plain(settings), "folds": [0, 1], "folds_of_splits": [0, 1], "model_defaults": defaults}
    return {**made, **changes}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--lr", "1e-3", "--embed_dim", "64", "--monitor", "val_c_index", "--weighted_sampling"],
        ["--ablate", "route", "reducer", "--results_dir", "my results", "--max_patches", "50"],
        ["--model", "abmil", "--dropout", "0.5", "--allow_patient_overlap", "--on_missing", "drop"],
        ["--model", "dtfdmil", "--seed", "7"],
    ],
    ids=" ".join,
)
def test_the_command_is_of_the_same_run(words: list[str]):
    command = shlex.split(command_of(record(*words), run_name="mine", stage="test"))
    found = main_command.settings_of(main_command.get_args_parser().parse_args(command[2:]))
    assert as_plain(found) == as_plain(parsed(*words, "--run_name", "mine", "--stage", "test"))


def test_what_is_at_its_default_is_left_out():
    command = command_of(record(), run_name="mine", stage="explain")
    assert command == (
        ".venv/bin/python main.py --task surv --dataset LUAD --features_dir a b --splits_dir s "
        "--anchors 'a/K_{fold}.pt' --monitor val_loss --device cpu --run_name mine --stage explain"
    )


def test_a_run_of_some_folds_is_tested_on_these():
    command = command_of(record(folds_of_splits=[0, 1, 2]), run_name="mine", stage="test")
    assert "--folds 0 1 --run_name" in command
