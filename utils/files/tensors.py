"""Tensors on disk: equal content is saved as equal bytes, and nothing but tensors, plain values and arrays is loaded.

Centroid files of the released code are pickled numpy arrays, and so are feature files of some tools;
`load_tensor_or_array` reads them too.
"""

from __future__ import annotations

import codecs
import pickle
import struct
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch

from utils.files.atomic import atomic_path

# What reading a damaged file of torch or pickle may raise. The documentation of pickle promises no closed list. Those
# below came out of the readers for thousands of files that were cut off or had bytes changed; all of them mean that the
# file is not what it should be.
LOAD_ERRORS = (
    pickle.UnpicklingError,
    struct.error,
    RuntimeError,
    EOFError,
    OSError,
    AttributeError,
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    ArithmeticError,
    ImportError,
    MemoryError,
    SystemError,
)
MESSAGE_LENGTH = 120
_TORCH_REASON = "WeightsUnpickler error: "

# The first bytes of a file of torch before 1.6: a pickled magic number.
TORCH_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# A pickle calls what it names. These names build arrays and nothing else; numpy 2 renamed numpy.core to numpy._core.
_MULTIARRAY = getattr(np, "_core").multiarray  # noqa: B009  private by name, stable in every pickle
RECONSTRUCT = _MULTIARRAY._reconstruct
ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy.core.multiarray", "scalar"): _MULTIARRAY.scalar,
    ("numpy._core.multiarray", "scalar"): _MULTIARRAY.scalar,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}
_DTYPES = (
    "Bool",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float16",
    "Float32",
    "Float64",
)
_allow_list = Lock()  # torch keeps one list for all threads


def save_tensors(path: Path, value: Any) -> None:
    """Write a tensor, or tensors and plain values in dicts and lists, with `torch.save`, atomically.

    Through a file object torch.save writes no file name into the archive, so equal content gives equal bytes.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(value, file)


def load_tensors(path: Path, *, mmap: bool = False) -> Any:
    """Read what `torch.save` wrote, to the CPU, if it is made of tensors and plain values: no code in it is run.

    Args:
        path: of the file.
        mmap: map the tensors from the file (copy on write) where they would be read; needs the zip format of
            PyTorch 1.6 and later.

    Raises:
        one of LOAD_ERRORS: for anything else, before any of it runs.
    """
    return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)


def load_tensor_or_array(path: Path, *, mmap: bool = False) -> Any:
    """Read what `torch.save` or `pickle.dump` wrote, if it is made of tensors, plain values and numpy arrays.

    A tensor of another class (a subclass with a name of its own) comes back as a `NamelessTensor`, without the
    attributes of that class, which is never imported.

    Args:
        path: of the file.
        mmap: as of `load_tensors`.

    Raises:
        one of LOAD_ERRORS: for anything else, before any of it runs.
    """
    with path.open("rb") as file:
        start = file.read(len(TORCH_LEGACY_MAGIC))
        file.seek(0)
        if start[:1] == b"\x80" and start != TORCH_LEGACY_MAGIC:  # a bare pickle; torch writes zip files, or the magic
            return ArrayUnpickler(file).load()
    names = [(value, ".".join(key)) for key, value in ALLOWED.items()]
    dtypes = [getattr(np.dtypes, f"{name}DType") for name in _DTYPES]
    with _allow_list, torch.serialization.safe_globals([*names, *dtypes]):
        others = torch.serialization.get_unsafe_globals_in_checkpoint(str(path)) if start[:2] == b"PK" else []
        try:
            with torch.serialization.safe_globals([(NamelessTensor, name) for name in others]):
                return load_tensors(path, mmap=mmap)
        except pickle.UnpicklingError as error:
            if not others:
                raise
            named = ", ".join(sorted(others)[:3])
            raise pickle.UnpicklingError(f"it names {named}, which is no part of a tensor or an array") from error


def first_line(error: BaseException) -> str:
    """The line of an error that says what happened, for a message of one sentence; torch explains itself over many.

    >>> first_line(RuntimeError("unexpected end")), first_line(EOFError())
    ('unexpected end', 'EOFError')
    """
    lines = [line.strip() for line in str(error).strip().splitlines()]
    told = next((line.removeprefix(_TORCH_REASON) for line in lines if line.startswith(_TORCH_REASON)), None)
    line = told or (lines[0] if lines else type(error).__name__)
    return line[:MESSAGE_LENGTH]


class NamelessTensor(torch.Tensor):
    """Stands for a name that a file asks for and that is not allowed: fine as the class of a tensor, never called."""

    def __new__(cls, *args: Any, **kwargs: Any) -> NamelessTensor:
        """Refuse to make anything: the file would call what it names, not only call a tensor by that name."""
        raise pickle.UnpicklingError("a name that is not allowed was called")

    def __setstate__(self, state: Any) -> None:
        """Leave out what the class kept beside the numbers."""


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that refuses every name but those of numpy arrays, before calling it."""

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up in the allow-list; the default would import any module."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a numpy array")
        return ALLOWED[module, name]
