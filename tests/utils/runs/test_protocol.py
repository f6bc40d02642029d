from __future__ import annotations

from typing import Any

import pytest

from utils.runs.protocol import completed, options_before, protocol_of

LOOKAHEAD, WINDOW = "start of Lookahead's slow weights", "loss of an accumulation window"
COUNT = "gradient of N_k in Eq. 3"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"optimizer": "ranger", "grad_accum": 2, "formulation": "released", "ablate": None}, {LOOKAHEAD, WINDOW}),
        ({"optimizer": "adamw", "grad_accum": 1, "formulation": "paper", "ablate": None}, {COUNT}),
        ({"optimizer": "adamw", "grad_accum": 1, "formulation": "paper", "ablate": ["route"]}, set()),
        ({"optimizer": "radam", "grad_accum": 1}, set()),  # a model without forms
    ],
)
def test_only_what_matters_for_a_run_is_recorded(settings: dict[str, Any], expected: set[str]):
    assert set(protocol_of(settings)) == expected


def test_a_record_of_before_gets_what_was_true_then():
    settings = {"optimizer": "ranger", "grad_accum": 2, "formulation": "paper", "ablate": None}
    older = completed({"task": "cls", "settings": settings})
    now = protocol_of(settings)
    assert older["protocol"].keys() == now.keys() == {LOOKAHEAD, WINDOW, COUNT}
    assert all(now[name] != older["protocol"][name] for name in now)
    assert older["settings"] == {**settings, **options_before("cls"), "unit": "slide"}


@pytest.mark.parametrize(
    "settings", [{"optimizer": "adamw", "grad_accum": 1}, {"optimizer": "ranger", "grad_accum": 2}]
)
def test_a_record_of_today_stays_as_it_is(settings: dict[str, Any]):
    settings = {**settings, "formulation": "released", "monitor": "val_auc", "tie_rule": "val_loss"}
    settings |= {"unit": "patient"}
    record = {"task": "cls", "settings": settings, "protocol": protocol_of(settings)}
    assert completed(record) == record


def test_older_runs_used_the_released_score_and_kept_the_first_of_equal_epochs():
    assert options_before("cls") == {"monitor": "val_f1", "tie_rule": "first"}
    assert options_before("surv") == {"monitor": "val_loss", "tie_rule": "first"}
