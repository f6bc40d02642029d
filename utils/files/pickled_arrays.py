"""numpy arrays in pickles: read with stand-ins for numpy's own functions, which believe what a pickle tells them.

numpy takes memory for the shape that `_reconstruct` is given and for the size of a type such as `V1000000000`, and
reads fields from wherever a type says they are. Here an array has the bytes that its shape needs, of a plain type, or
is refused.
"""

from __future__ import annotations

import math
import mmap
import pickle
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from utils.errors import UserError
from utils.files.pickle_scan import check_pickle

_PLAIN_TYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f(2|4|8|12|16)|c(8|16|24|32)|[SU]\d{1,4}|[mM]8)")
_OBJECTS = re.compile(r"[<>|=]?O\d*")


class PlainType:
    """Stands for a numpy type; `dtype` is the type."""

    def __init__(self, code: Any = None, *_: Any) -> None:
        if isinstance(code, str) and _OBJECTS.fullmatch(code):
            raise pickle.UnpicklingError("it holds an array of Python objects")
        if not isinstance(code, str) or not _PLAIN_TYPE.fullmatch(code):
            raise pickle.UnpicklingError(f"it holds an array of the type {str(code)[:40]!r}")
        self.dtype: np.dtype[Any] = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        """Take the order of bytes; the state of a plain type says no more."""
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|", "="):
            raise ValueError("it holds an array of a damaged type")
        if any(part is not None for part in state[2:5]):
            raise ValueError("it holds an array of a type with fields")
        self.dtype = self.dtype.newbyteorder(state[1])


class PickledArray(np.ndarray):
    """An array while it is read: it has no numbers until its state is checked."""

    def __new__(cls) -> PickledArray:
        """An empty array, whatever the pickle asks for."""
        return super().__new__(cls, (0,), np.uint8)

    def __setstate__(self, state: Any) -> None:
        """Take shape, type and numbers that fit each other."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise ValueError("it holds a damaged array")
        _, shape, kind, fortran, content = state
        dtype = _checked_type(kind, shape, content)
        super().__setstate__((1, shape, dtype, bool(fortran), content))  # type: ignore[arg-type]


class NoArray:
    """Stands for `numpy.ndarray`, which pickles name as an argument and never call."""

    def __new__(cls, *_: Any) -> NoArray:
        """Refuse to make an array without numbers."""
        raise ValueError("it makes an array without numbers")


def reconstruct(kind: Any, shape: Any, _: Any) -> PickledArray:
    """An array whose state follows; UnpicklingError for a class of its own, ValueError for any but an empty one."""
    if kind is not NoArray:
        raise pickle.UnpicklingError("it holds an array of a class of its own")
    if shape != (0,):
        raise ValueError("it makes an array without numbers")
    return PickledArray()


def scalar(kind: Any, content: Any) -> Any:
    """A number of numpy's."""
    return np.frombuffer(content, dtype=_checked_type(kind, (), content))[0]


def from_buffer(content: Any, kind: Any, shape: Any, order: Any, *_: Any) -> np.ndarray:
    """An array as protocol 5 has it: its bytes, and what they are."""
    dtype = _checked_type(kind, shape, content)
    numbers = np.frombuffer(content, dtype=dtype)
    numbers = numbers if numbers.flags.writeable else numbers.copy()  # as pickled arrays of other protocols are
    return numbers.reshape(shape, order="F" if order == "F" else "C")


def encode(text: Any, encoding: Any = None, *_: Any) -> bytes:
    """The bytes that protocols up to 2 write as a text."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("it names an encoding that is no part of an array")
    return text.encode("latin1")


def no_bytes(*args: Any) -> bytes:
    """The numbers of an array without any, as protocols up to 2 write them."""
    if args:
        raise ValueError("it makes bytes from a number")
    return b""


# The name in a pickle -> what stands for it. numpy 2 renamed numpy.core to numpy._core.
ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): NoArray,
    ("numpy", "dtype"): PlainType,
    ("_codecs", "encode"): encode,
    ("__builtin__", "bytes"): no_bytes,
    ("builtins", "bytes"): no_bytes,
} | {
    (f"numpy.{core}.{module}", name): value
    for core in ("core", "_core")
    for module, name, value in (
        ("multiarray", "_reconstruct", reconstruct),
        ("multiarray", "scalar", scalar),
        ("numeric", "_frombuffer", from_buffer),
    )
}
# What torch has to be told beside: the classes of things whose state follows.
BUILT = ((PickledArray, "utils.files.pickled_arrays.PickledArray"),)


def read_pickle(path: Path) -> Any:
    """What `pickle.dump` wrote, if it is made of plain values and numpy arrays.

    Raises:
        UserError: for a tensor, whose numbers pickle.dump leaves to code of torch.
        pickle.UnpicklingError or another of `utils.files.tensors.LOAD_ERRORS`: for anything else, before it is built.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        check_pickle(mapped)
        return plain(_ArrayUnpickler(file, path).load())


def plain(value: Any) -> Any:
    """A value, or the values of a dict, with arrays as numpy has them."""
    if isinstance(value, dict):
        return {name: plain(item) if not isinstance(item, dict) else item for name, item in value.items()}
    return value.view(np.ndarray) if isinstance(value, PickledArray) else value


def _checked_type(kind: Any, shape: Any, content: Any) -> np.dtype[Any]:
    """The type of an array; ValueError unless its bytes are as many as its shape needs."""
    if not isinstance(kind, PlainType) or not isinstance(content, bytes | bytearray):
        raise ValueError("it holds a damaged array")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("it holds an array of a shape that no array has")
    needed = math.prod(shape) * kind.dtype.itemsize
    if needed != len(content):
        raise ValueError(f"it declares {needed:,} bytes of numbers and has {len(content):,} of them")
    return kind.dtype


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that refuses every name but those of numpy arrays, before calling it."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up in the allow-list; the default would import any module."""
        if module == "torch._utils" and name.startswith("_rebuild"):
            raise UserError(
                f"{self._path} holds a tensor that pickle.dump wrote, which cannot be read without running code in it: "
                "write it with torch.save"
            )
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it names {module[:60]}.{name[:60]}, which is no part of a numpy array")
        return ALLOWED[module, name]
