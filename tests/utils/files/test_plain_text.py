"""What looks the same is the same text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.files.plain_text import plain_text


@pytest.mark.parametrize(
    "text",
    [
        "muzinös Ca",
        unicodedata.normalize("NFD", "muzinös Ca"),
        "muzinös\u00a0Ca",
        "muzinös \t Ca",
        "\u3000muzinös\r\nCa ",
        "\ufeffmuzinös\u2009Ca\u200b",
        "muz\u00adinös Ca\u200e",
    ],
)
def test_one_spelling(text: str):
    assert plain_text(text) == "muzinös Ca"


def test_hyphens_that_look_like_that_of_ids():
    assert plain_text("TCGA\u20112F\u2010A9KO") == "TCGA-2F-A9KO"
    assert plain_text("–") == "–"  # a word that means a missing value


@given(st.text())
def test_it_is_its_own_plain_text_whatever_the_form(text: str):
    plain = plain_text(text)
    assert plain_text(plain) == plain
    assert plain_text(unicodedata.normalize("NFD", text)) == plain
