from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from utils.statistics.resamples import resample_counts, resampled_patients


def test_resamples_are_seeded_and_draw_n_cases():
    counts = resample_counts(9, 20, seed=5)
    assert counts.shape == (20, 9)
    assert (counts.sum(axis=1) == 9).all()
    np.testing.assert_array_equal(counts, resample_counts(9, 20, seed=5))
    assert (counts != resample_counts(9, 20, seed=6)).any()
    with pytest.raises(ValueError, match="at least one case and one resample"):
        resample_counts(3, 0, seed=0)


def test_a_patient_is_drawn_with_all_rows():
    table = pd.DataFrame({"case_id": ["a", "b", "a", "c"]})
    counts = np.concatenate(list(resampled_patients(table, 1, seed=0, n_resamples=50)))
    assert counts[0].tolist() == [1, 1, 1, 1]
    np.testing.assert_array_equal(counts[:, 0], counts[:, 2])
    assert (counts[1:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert (counts != np.concatenate(list(resampled_patients(table, 2, seed=0, n_resamples=50)))).any()


def test_resamples_in_parts_are_those_of_one_draw(monkeypatch: pytest.MonkeyPatch):
    table = pd.DataFrame({"case_id": [f"P{index}" for index in range(7)]})
    whole = np.concatenate(list(resampled_patients(table, 3, seed=1, n_resamples=20)))
    monkeypatch.setattr("utils.statistics.resamples._COUNTS_AT_ONCE", 21)
    parts = list(resampled_patients(table, 3, seed=1, n_resamples=20))
    assert [len(part) for part in parts] == [1, 3, 3, 3, 3, 3, 3, 2]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
