from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import main
from utils.errors import UserError
from utils.pipeline.predict_settings import PredictSettings, predict_parser, predict_settings

REQUIRED = {"run_dir": Path("run"), "features_dir": (Path("features"),), "cohort": "there"}


def test_the_folder_of_a_cohort():
    settings = PredictSettings(**REQUIRED)
    assert settings.folder == Path("run/predict/there")
    assert settings.stage == "predict"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"cohort": "a/b"}, "expected a name for a file"),
        ({"cohort": ""}, "expected a name for a file"),
        ({"stage": "train"}, "got --stage train, expected one of predict, explain"),
        ({"mpp": 0.5}, "got --mpp with --stage predict, expected --stage explain with it"),
        ({"stage": "explain", "mpp": -1.0}, "got --mpp -1.0, expected 0.001 to 1000"),
        (
            {"stage": "explain", "labels": Path("t.csv")},
            "got --labels with --stage explain, expected --stage predict with it",
        ),
        ({"stage": "explain", "overwrite": True, "on_missing": "drop"}, "got --on_missing, --overwrite with --stage"),
        ({"label_column": "x"}, "got --label_column without --labels"),
        ({"resume": True, "overwrite": True}, "give one"),
        ({"num_workers": -1}, "got --num_workers -1, expected 0 to 1024"),
        ({"precision": "fp8"}, "got --precision fp8, expected one of auto, fp32, bf16, fp16"),
    ],
)
def test_settings_that_cannot_be(more: dict[str, Any], said: str):
    with pytest.raises(UserError, match=said):
        PredictSettings(**REQUIRED | more)


def test_a_pattern_needs_no_label_table():
    assert PredictSettings(**REQUIRED, patient_pattern="^P[0-9]+").patient_pattern == "^P[0-9]+"


def test_the_command_line_has_every_option_of_the_settings():
    words = ["--run_dir", "r", "--features_dir", "a", "b", "--cohort", "c", "--labels", "t.csv", "--classes", "x", "y"]
    settings = predict_settings(predict_parser().parse_args([*words, "--folds", "0", "2"]))
    assert settings == PredictSettings(
        run_dir=Path("r"),
        features_dir=(Path("a"), Path("b")),
        cohort="c",
        labels=Path("t.csv"),
        classes=("x", "y"),
        folds=(0, 2),
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--stage", "predict", "--run_dir", "r"],
        ["--run_dir=r", "--stage=explain"],
        ["--cohort", "c", "--stage=predict", "--run_dir", "r"],
    ],
)
def test_a_trained_run_has_options_of_its_own(words: list[str]):
    arguments = main.parse_arguments([*words, "--features_dir", "f", "--cohort", "c"])
    assert isinstance(main.settings_of(arguments), PredictSettings)


def test_training_is_as_it_was():
    words = ["--task", "cls", "--dataset", "d", "--features_dir", "f", "--splits_dir", "s", "--anchors", "random"]
    assert main.parse_arguments(words) == main.get_args_parser().parse_args(words)
    assert not isinstance(main.settings_of(main.parse_arguments(words)), PredictSettings)
