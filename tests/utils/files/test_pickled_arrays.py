"""Arrays in pickles: what numpy wrote is read, what declares more than it has is not, whatever numpy would do."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from utils.errors import UserError
from utils.files.pickled_arrays import read_pickle
from utils.files.tensors import LOAD_ERRORS, first_line, load_tensor_or_array

ARRAY = np.random.default_rng(0).standard_normal((5, 3))


def written(path: Path, value: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        ARRAY,
        np.asfortranarray(ARRAY),
        ARRAY.astype(">f4"),
        ARRAY[::2, 1:],
        ARRAY.astype(np.int16),
        ARRAY > 0,
        np.zeros((0, 3)),
        np.array(2.5),
        np.array(["a", "bcd"]),
        ARRAY.astype(np.longdouble),
    ],
    ids=range(10),
)
def test_what_numpy_wrote_is_read(tmp_path: Path, value: np.ndarray, protocol: int):
    got = read_pickle(written(tmp_path / "a.pt", {"features": value, "n": value.dtype.type(1)}, protocol))
    np.testing.assert_array_equal(got["features"], value)
    assert type(got["features"]) is np.ndarray
    assert got["features"].dtype.newbyteorder("=") == value.dtype.newbyteorder("=")
    assert got["features"].flags.writeable
    assert got["n"] == value.dtype.type(1)


@pytest.mark.parametrize("as_zip", [True, False])
def test_arrays_in_files_of_torch(tmp_path: Path, as_zip: bool):
    value = {"features": ARRAY, "coords": np.arange(10).reshape(5, 2), "mpp": ARRAY[0, 0], "tensor": torch.ones(2)}
    torch.save(value, tmp_path / "a.pt", _use_new_zipfile_serialization=as_zip)
    got = load_tensor_or_array(tmp_path / "a.pt")
    for name in ("features", "coords"):
        np.testing.assert_array_equal(got[name], value[name])
        assert type(got[name]) is np.ndarray
    assert got["mpp"] == ARRAY[0, 0]


class Reduced:
    """Pickled as a call of what is given, and the state that follows it."""

    def __init__(self, function: Callable, arguments: tuple, state: Any = None) -> None:
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple:
        return self.reduced


reconstruct = np.zeros(0).__reduce__()[0]
F8 = np.dtype("f8")


@pytest.mark.parametrize("as_torch", [True, False])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Reduced(reconstruct, (np.ndarray, (10**10,), b"b")), "makes an array without numbers"),
        (
            Reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (10**10,), F8, False, b"12345678")),
            "declares 80,000,000,000",
        ),
        (Reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (2**62, 8), F8, False, b"")), "declares"),
        (Reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (-1,), F8, False, b"")), "a shape that no array has"),
        (Reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (1,), F8, False, [1.0])), "a damaged array"),
        (Reduced(np.ndarray, ((10**10,), F8)), "makes an array without numbers"),
        (Reduced(np.dtype, ("V1000000000", False, True)), "of the type 'V1000000000'"),
        (Reduced(np.dtype, ("1000000f8", False, True)), "of the type '1000000f8'"),
        (Reduced(np.dtype, ("f8", False, True), (3, "<", (F8, (10**9,)), None, None, 8, 8, 0)), "a type with fields"),
        (Reduced(np.dtype, ("f8", False, True), (3, "x", None, None, None, 8, 8, 0)), "a damaged type"),
        (np.array([{}, 1], dtype=object), "array of Python objects"),
        (np.zeros(2, dtype=[("x", "f4")]), "of the type 'V4'"),
    ],
    ids=range(12),
)
def test_arrays_that_are_not_there(tmp_path: Path, value: Any, said: str, as_torch: bool):
    path = tmp_path / "a.pt"
    torch.save({"features": value}, path) if as_torch else written(path, {"features": value})
    with pytest.raises(LOAD_ERRORS) as raised:
        load_tensor_or_array(path)
    assert as_torch or said in str(raised.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.array([{}, 1], dtype=object), "it holds an array of Python objects"),
        (np.zeros(2, dtype=[("x", "f4")]), "it holds an array of the type 'V4'"),
        (np.zeros(2).view(np.recarray), "it names numpy.rec.recarray, which is no part of a tensor or an array"),
    ],
)
def test_the_reason_is_not_lost_in_what_torch_explains(tmp_path: Path, value: Any, said: str):
    torch.save(value, tmp_path / "a.pt")
    with pytest.raises(pickle.UnpicklingError) as raised:
        load_tensor_or_array(tmp_path / "a.pt")
    assert first_line(raised.value) == said


@pytest.mark.parametrize("value", [torch.ones(2, 3), {"features": torch.nn.Parameter(torch.ones(2, 3))}])
def test_a_tensor_is_to_be_written_by_torch(tmp_path: Path, value: Any):
    with pytest.raises(UserError, match=r"a\.pt holds a tensor that pickle\.dump wrote.*: write it with torch\.save"):
        load_tensor_or_array(written(tmp_path / "a.pt", value))


def test_a_number_of_a_huge_place_in_the_memo(tmp_path: Path):
    """The unpickler in C would take 64 GB for the list of what it keeps."""
    (tmp_path / "a.pt").write_bytes(b"\x80\x04]r\xff\xff\xff\xff.")
    with pytest.raises(ValueError, match="keeps nothing, or at place 4294967295"):
        read_pickle(tmp_path / "a.pt")


def test_an_encoding_that_is_slow(tmp_path: Path):
    (tmp_path / "a.pt").write_bytes(b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x04\0\0\0idna\x86R.")
    with pytest.raises(pickle.UnpicklingError, match="no part of an array"):
        read_pickle(tmp_path / "a.pt")
