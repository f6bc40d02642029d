"""The table of docs/performance.md is what is counted, and no model waits for the GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gpu_counts import counts_of, table

PAGE = Path(__file__).parents[1] / "docs/performance.md"


@pytest.mark.slow
def test_the_page_has_what_is_counted():
    assert table() in PAGE.read_text(encoding="utf-8")


def test_a_step_of_mico_waits_for_nothing():
    counts = counts_of("mico")
    assert (counts.waits_of_step, counts.waits_of_prediction) == (0, 0)
    assert counts.optimizer < 10  # fused over all parameters
