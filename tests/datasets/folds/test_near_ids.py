from __future__ import annotations

import pytest

from datasets.folds.near_ids import did_you_mean, nearest_id


@pytest.mark.parametrize(
    ("identifier", "others", "near"),
    [
        ("tcga-2f-a9ko-dx1", ["TCGA-2F-A9KP-DX1", "TCGA-2F-A9KO-DX1"], "TCGA-2F-A9KO-DX1"),
        ("TCGA-2F-A9KO-DX1", ["TCGA-2F-A9KO-DX2.0F", "TCGA-2F-A9KO-DX1.195576CF"], "TCGA-2F-A9KO-DX1.195576CF"),
        ("s-01", ["s_10", "s_1"], "s_1"),
        ("slide 7 HE", ["slide_7_IHC", "slide_7_he"], "slide_7_he"),
        ("P1", ["P12", "P11_1"], None),
        ("slide_6", ["slide_7", "slide_16"], None),
        ("abc", ["xyz"], None),
        ("a", [], None),
    ],
)
def test_the_nearest_id(identifier: str, others: list[str], near: str | None):
    assert nearest_id(identifier, others) == near
    assert did_you_mean(identifier, others) == (f" (did you mean {near}?)" if near else "")
