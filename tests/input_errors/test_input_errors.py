"""Every mistake of `docs/input_errors.md` ends in exit code 2 and one sentence, changes nothing, and is on the page."""

from __future__ import annotations

import pytest

from tests.input_errors.case import CASES, Case
from tests.input_errors.page import PAGE, Told, page_of, tell_all

LONGEST = 700  # characters of a sentence
# One process makes all mistakes: the page is made from all of them.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("input_errors")]


@pytest.fixture(scope="module")
def told() -> list[Told]:
    return tell_all()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.name}".replace(" ", "_"))
def test_a_mistake_ends_in_one_sentence_and_changes_nothing(case: Case, told: list[Told]):
    (one,) = [one for one in told if one.case is case]
    assert one.ended.status == 2, one.ended.err
    sentence = one.ended.err.removesuffix("\n")
    assert sentence.isprintable(), sentence  # one line, too
    assert "error: " in sentence
    assert len(sentence) <= LONGEST, sentence
    assert one.changed == ()


def test_the_page_is_what_the_commands_say(told: list[Told]):
    """Otherwise: `python -m tests.input_errors --write`."""
    assert PAGE.read_text(encoding="utf-8").splitlines() == page_of(told).splitlines()


def test_the_cases_are_many_and_have_names_of_their_own():
    assert len(CASES) >= 80
    assert len({(case.kind, case.wrong) for case in CASES}) == len(CASES)
    assert len({(case.kind, case.name) for case in CASES}) == len(CASES)
