"""Class words that hold commas and blanks stay apart in messages; see also `test_label_cases`."""

from __future__ import annotations

import pytest

from datasets.make_splits.class_numbers import classes_of_model, numbered_classes, plain_names
from utils.errors import UserError

NAMES = ("IDC", "ILC", "muzinös, andere")


def test_whole_numbers_have_one_name_where_all_labels_are_numbers():
    assert plain_names(["1.0", "1", "02"]) == {"1.0": "1", "1": "1", "02": "2"}
    assert plain_names(["1.0", "x"]) == {"1.0": "1.0", "x": "x"}


def test_numbers_come_in_the_order_that_is_given_or_sorted():
    assert numbered_classes(["10", "9"], "y", None, "") == {"9": 0, "10": 1}
    assert numbered_classes(["a", "b"], "y", ("b", "a"), "") == {"b": 0, "a": 1}
    assert classes_of_model(["lobular"], "y", ("ductal", "lobular"), ("IDC", "ILC")) == {"ductal": 0, "lobular": 1}


def test_class_words_are_quoted():
    quoted = r"'IDC', 'ILC', 'muzinös, andere'"
    with pytest.raises(UserError, match=rf"^y holds 'NST, G2', not among --classes {quoted}: correct it"):
        numbered_classes(["IDC", "NST, G2"], "y", NAMES, "")
    with pytest.raises(
        UserError,
        match=rf"not among the classes of the model {quoted} \(did you mean 'muzinös, andere'\?\): .*"
        "--classes gives these in the order of the model's classes$",
    ):
        classes_of_model(["muzinös andere"], "y", None, NAMES)
    with pytest.raises(UserError, match=rf"names 1 class \('a, b'\): .* the 3 of the model, in the order {quoted}$"):
        classes_of_model(["a, b"], "y", ("a, b",), NAMES)
