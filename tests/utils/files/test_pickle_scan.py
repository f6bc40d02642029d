"""Going through a pickle without building it; what hostile ones ask for is tested in test_declared_tensors.py."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import Any

import pytest

from utils.files.pickle_scan import MOST_LEVELS, check_pickle

VALUES: list[Any] = [
    None,
    (1, -1, 2**40, 2**2000, 1.5, True),
    "x" * 300,
    b"x" * 300,
    bytearray(b"x" * 300),
    [[], {}, (), set(), frozenset({1})],
    {f"key {n}": [n, {"a": (n,)}] for n in range(3000)},
    OrderedDict(a=1),
    complex(1, 2),
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_ordinary_pickles_pass_and_end_where_they_end(value: Any, protocol: int):
    content = pickle.dumps(value, protocol=protocol)
    assert check_pickle(content) == len(content)
    assert check_pickle(b"less" + content + b"more", 4) == 4 + len(content)


@pytest.mark.parametrize("protocol", range(6))
def test_what_contains_itself_passes(protocol: int):
    value: list = [1]
    value.append(value)
    check_pickle(pickle.dumps(value, protocol=protocol))


@pytest.mark.parametrize("protocol", [2, 4])
def test_every_beginning_of_a_pickle_is_refused(protocol: int):
    content = pickle.dumps([*VALUES[:5], {"a": [1, 2]}], protocol=protocol)
    for length in range(len(content)):
        with pytest.raises(ValueError, match="ends early"):
            check_pickle(content[:length])


def test_depth_has_a_limit_and_so_have_parts():
    value: Any = 1
    for _ in range(MOST_LEVELS - 1):
        value = (value,)
    check_pickle(pickle.dumps(value))
    with pytest.raises(ValueError, match="things in things without end"):
        check_pickle(pickle.dumps((value,)))
    value = (1, 2)
    for _ in range(30):
        value = (value, value)
    with pytest.raises(ValueError, match="things in things without end"):
        check_pickle(pickle.dumps(value))
