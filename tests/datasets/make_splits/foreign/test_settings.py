"""Settings of a conversion that cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasets.make_splits.foreign.settings import ForeignSettings
from utils.errors import UserError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_bins": 1}, "--n_bins is 1: expected 2 to 1,000"),
        ({"val_fraction": 0.0}, r"--val_fraction is 0\.0: expected a share between 0 and 1"),
        ({"val_fraction": 1.0}, "--val_fraction"),
        ({"val_fraction": float("nan")}, "--val_fraction"),
        ({"seed": -1}, "--seed is -1: expected 0 to 4294967295"),
        ({"on_missing": "skip"}, "--on_missing skip"),
        ({"label_column": "x"}, "--label_column belongs to --task cls"),
    ],
)
def test_impossible_settings(changes: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        ForeignSettings(output_dir=Path("out"), task="surv", **changes)
