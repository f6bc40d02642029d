"""Reading the centroid files of the released code: pickled numpy arrays, of which nothing but arrays is let through."""

from __future__ import annotations

import codecs
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

# A pickle calls what it names. These names build arrays and nothing else; numpy 2 renamed numpy.core to numpy._core.
RECONSTRUCT = getattr(np, "_core").multiarray._reconstruct  # noqa: B009  private by name, stable in every pickle
# The first bytes of a file of torch before 1.6: a pickled magic number.
TORCH_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that refuses every name but those of numpy arrays, before calling it."""

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up in the allow-list; the default would import any module."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a numpy array")
        return ALLOWED[module, name]


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
        return torch.load(path, map_location="cpu", weights_only=True)
