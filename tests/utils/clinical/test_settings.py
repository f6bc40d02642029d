from __future__ import annotations

from pathlib import Path

import pytest

from utils.clinical.settings import ClinicalSettings
from utils.errors import UserError

TABLE = Path("t.csv")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"covariates": ("age",)}, "got --covariates without --clinical"),
        ({"clinical": TABLE}, "without --covariates and --subgroups"),
        ({"clinical": TABLE, "covariates": ("age", "sex", "age")}, "--covariates names age twice"),
        ({"clinical": TABLE, "covariates": ("age",), "categorical": ("grade",)}, "--categorical names grade"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, object], expected: str):
    with pytest.raises(UserError, match=expected):
        ClinicalSettings(**options)


def test_nothing_is_asked_without_options():
    assert ClinicalSettings().columns == ()


def test_columns_are_each_named_once_and_in_plain_text():
    settings = ClinicalSettings(clinical=TABLE, covariates=("age", "alter\u00a0 Jahre"), subgroups=("sex", "age"))
    assert settings.in_plain_text().columns == ("age", "alter Jahre", "sex")
