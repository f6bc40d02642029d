"""Coordinates that no slide can have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.slides.features import read_slide
from datasets.slides.slide_checks import check_coords_values, checked_coords
from datasets.slides.slide_content import coords_tensor
from tests.datasets.slides.test_formats import WITH_COORDS, features_of
from utils.errors import UserError

FAR = "holds coords as far from 0 as .*: expected level-0 pixels, of which no slide has more than 2,147,483,648"
NO_NUMBERS = "coords that are no finite numbers"


def coords_with(value: float, dtype: str) -> np.ndarray:
    coords = np.arange(80).reshape(40, 2).astype(dtype)
    coords[3, 1] = value
    return coords


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        (1e300, "f8", FAR),
        (2.0**70, "f4", FAR),
        (2**63 + 5, "u8", FAR),
        (2**31 + 1, "i8", FAR),
        (-(2**63), "i8", FAR),
        (float("nan"), "f4", NO_NUMBERS),
        (float("-inf"), "f8", NO_NUMBERS),
    ],
)
@pytest.mark.parametrize("write", WITH_COORDS)
def test_each_format_refuses_them(tmp_path: Path, write, value: float, dtype: str, message: str):
    path = write(tmp_path, features_of(), coords_with(value, dtype))
    with pytest.raises(UserError, match=rf"s\.\w+(\.\w+)? {message}|{message}"):
        read_slide(path)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "longdouble"])
def test_every_type_of_number_is_read(dtype: str):
    coords = np.array([[0, 1], [100, 127]], dtype=dtype)
    assert checked_coords(coords_tensor(coords, Path("s")), 2, Path("s")).tolist() == [[0, 1], [100, 127]]


@pytest.mark.parametrize("value", [2**31, -(2**31), -5, 0])
def test_the_farthest_are_read(value: int):
    coords = torch.full((1, 2), value, dtype=torch.int64)
    assert checked_coords(coords, 1, Path("s")).tolist() == [[value, value]]


@pytest.mark.parametrize(
    "dtype", [torch.uint16, torch.uint32, torch.uint64, torch.bfloat16, torch.float16, torch.int8], ids=str
)
def test_types_of_torch_without_a_maximum(dtype: torch.dtype):
    check_coords_values(torch.ones(3, 2).to(dtype), Path("s"))


def test_a_large_unsigned_number_does_not_become_negative():
    coords = torch.from_numpy(np.full((1, 2), 2**64 - 1, dtype="u8"))
    with pytest.raises(UserError, match=FAR):
        checked_coords(coords, 1, Path("s"))
