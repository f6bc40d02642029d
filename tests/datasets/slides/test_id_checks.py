from __future__ import annotations

import pytest

from datasets.slides.id_checks import FILES_BESIDE, check_slide_files, why_no_case, why_no_slide
from tests.commands.test_explain import FOLD_FILES, MIXING
from utils.errors import UserError


@pytest.mark.parametrize(
    ("slide_id", "why"),
    [
        ("a;b", "holds ';'"),
        ("a/b", "is a path"),
        ("a\\b", "is a path"),
        ("..", "begins with '.'"),
        (".hidden", "begins with '.'"),
        ("cases.csv", "is the name of a file that is written beside"),
        ("Cases.CSV", "is the name of a file that is written beside"),
        ("=A1", "begins with '='"),
        ("", "is empty"),
    ],
)
def test_no_slide_ids(slide_id: str, why: str):
    assert why in (why_no_slide(slide_id) or "")


@pytest.mark.parametrize("slide_id", ["S1", "TCGA-2F-A9KO-01Z-00-DX1.195576CF", "12.0", "slide.png", "a,b \"c\" 'd'"])
def test_slide_ids(slide_id: str):
    assert why_no_slide(slide_id) is None


def test_a_case_may_have_a_name_that_no_file_can_have():
    assert why_no_case("a/b;c") is None
    assert why_no_case("@a") is not None


def test_the_files_beside_the_folders_of_slides_are_those_that_are_written():
    assert set(FILES_BESIDE) == {*FOLD_FILES, *MIXING}


def test_slides_that_are_known_by_their_files():
    check_slide_files(["a", "b"], "features")
    with pytest.raises(UserError, match=r"the slide id 'a;b' holds ';', .*: rename its feature file in features"):
        check_slide_files(["a", "a;b"], "features")
