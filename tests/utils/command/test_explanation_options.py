"""The options of explanations are the same for a run and for another cohort."""

import dataclasses

import pytest

from utils.command.checks import check_limits
from utils.command.explanation_options import ExplanationOptions, check_explanation_options
from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.pipeline.predict_settings import PredictSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Staged(ExplanationOptions):
    stage: str


@pytest.mark.parametrize("settings", [RunSettings, PredictSettings])
def test_runs_and_cohorts_take_the_same_options(settings: type):
    own = [field for field in dataclasses.fields(settings) if field.metadata.get("role") == "explanation"]
    assert own == list(dataclasses.fields(ExplanationOptions))  # the very same: none is written again


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("explain_cases", 2),
        ("explain_slides", ("a",)),
        ("slides_dir", "slides"),
        ("mpp", 0.5),
        ("patch_size", 448),
        ("geojson", "regions"),
    ],
)
def test_another_stage_takes_none_of_them(option: str, value: object):
    check_explanation_options(Staged(stage="explain", **{option: value}))
    with pytest.raises(UserError, match=f"--{option}.* with --stage test, expected --stage explain with it"):
        check_explanation_options(Staged(stage="test", **{option: value}))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("explain_cases", -1),
        ("mpp", 0.0),
        ("mpp", -0.5),
        ("mpp", float("inf")),
        ("patch_size", 0),
        ("patch_size", 10**7),
    ],
)
def test_values_that_are_not_possible_are_refused(option: str, value: float):
    with pytest.raises(UserError, match=f"got --{option} {value}, expected "):
        check_limits(Staged(stage="explain", **{option: value}))
