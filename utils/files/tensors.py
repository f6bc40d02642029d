"""Tensors on disk: equal content is saved as equal bytes, and nothing but tensors, plain values and arrays is loaded.

Centroid files of the released code are pickled numpy arrays; `load_tensor_or_array` reads them too.
"""

from __future__ import annotations

import codecs
import pickle
import struct
from pathlib import Path
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
)
MESSAGE_LENGTH = 120

# The first bytes of a file of torch before 1.6: a pickled magic number.
TORCH_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# A pickle calls what it names. These names build arrays and nothing else; numpy 2 renamed numpy.core to numpy._core.
RECONSTRUCT = getattr(np, "_core").multiarray._reconstruct  # noqa: B009  private by name, stable in every pickle
ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}


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


def load_tensor_or_array(path: Path) -> Any:
    """Read what `torch.save` or `pickle.dump` wrote, if it is made of tensors, plain values and numpy arrays.

    Raises:
        one of LOAD_ERRORS: for anything else, before any of it runs.
    """
    with path.open("rb") as file:
        start = file.read(len(TORCH_LEGACY_MAGIC))
        file.seek(0)
        if start[:1] == b"\x80" and start != TORCH_LEGACY_MAGIC:  # a bare pickle; torch writes zip files, or the magic
            return ArrayUnpickler(file).load()
    dtypes = [getattr(np.dtypes, f"{name}DType") for name in ("Float16", "Float32", "Float64")]
    names = [(value, ".".join(key)) for key, value in ALLOWED.items()]
    with torch.serialization.safe_globals([*names, *dtypes]):
        return load_tensors(path)


def first_line(error: BaseException) -> str:
    """The first line of an error, for a message of one sentence; torch explains itself over many lines."""
    lines = str(error).strip().splitlines()
    return lines[0][:MESSAGE_LENGTH] if lines else type(error).__name__


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that refuses every name but those of numpy arrays, before calling it."""

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up in the allow-list; the default would import any module."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a numpy array")
        return ALLOWED[module, name]
