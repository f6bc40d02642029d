from __future__ import annotations

from utils.runs.class_words import ClassWords


def test_names_come_from_the_record_of_the_run():
    words = ClassWords.of({"class_names": ["benign", "malignant"]}, 2)
    assert (words.brief(0), words.full(1)) == ("benign", "malignant (class 1)")
    assert words.against(1) == "malignant (class 1) against benign (class 0)"
    assert words.are_names


def test_without_names_classes_are_their_numbers():
    for run in ({}, {"class_names": None}, {"class_names": ["one", "two", "three"]}):  # those of another model
        words = ClassWords.of(run, 2)
        assert words == ClassWords.named(None, 2) == ClassWords.numbered(2)
        assert (words.brief(1), words.full(1), words.are_names) == ("class 1", "class 1", False)


def test_names_that_are_numbers_are_told_from_the_numbers_of_classes():
    words = ClassWords(("1", "2", "3"))  # grades, of which the first is class 0
    assert [words.brief(index) for index in range(3)] == ["1 (class 0)", "2 (class 1)", "3 (class 2)"]
    assert words.against(2) == "3 (class 2) against the rest"
