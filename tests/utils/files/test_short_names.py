from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.files.short_names import shortened, shortened_apart


def within(length: int):
    return lambda text: len(text) <= length


@pytest.mark.parametrize("length", [12, 16, 20])
def test_seeds_of_one_model_can_be_told_apart(length: int):
    names = [f"mico_released_no_route_k{k}_seed{seed}" for k in (16, 64) for seed in (1, 2, 2024)]
    shown = shortened_apart(names, within(length))
    assert len(set(shown)) == len(names)
    assert all(len(text) <= length for text in shown)


def test_both_ends_stay_and_what_fits_is_whole():
    assert shortened("mico_released_seed1", within(12)) == "mico_r…seed1"
    assert shortened("short", within(5)) == "short"
    assert shortened("words of a name", within(0)) == "…"
    assert shortened_apart(["a" * 30, "a" * 30], within(5)) == ["aa…aa", "aa…aa"]  # equal names stay equal


@given(st.lists(st.text(alphabet="ab_", min_size=1, max_size=40), min_size=1, max_size=6, unique=True))
def test_different_names_stay_different(names: list[str]):
    shown = shortened_apart(names, within(14))
    assert len(set(shown)) == len(names)
    assert [text for name, text in zip(names, shown, strict=True) if len(name) <= 14] == [
        name for name in names if len(name) <= 14
    ]
