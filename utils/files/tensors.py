"""Tensors on disk: equal content is saved as equal bytes, and nothing but tensors, plain values and arrays is loaded.

Centroid files of the released code are pickled numpy arrays, and so are feature files of some tools;
`load_tensor_or_array` reads them too. No size that a file declares is believed before it is compared with the bytes
that are there (`utils.files.declared_tensors`, `utils.files.pickled_arrays`).
"""

from __future__ import annotations

import pickle
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from safetensors import SafetensorError

from utils.errors import UserError, cannot_read, one_line
from utils.files.atomic import atomic_path
from utils.files.declared_tensors import HEAD_BYTES, LEGACY_NUMBER, ZIP_HEAD, check_torch_file, other_protocol
from utils.files.pickled_arrays import ALLOWED, BUILT, plain, read_pickle

# What reading a damaged file of torch, pickle, numpy, zip, safetensors or JSON may raise. The documentation of pickle
# promises no closed list. Those below came out of the readers for thousands of files that were cut off or had bytes
# changed; all of them mean that the file is not what it should be. RecursionError and NotImplementedError are
# RuntimeErrors, UnicodeDecodeError is a ValueError, OverflowError an ArithmeticError.
LOAD_ERRORS = (
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    SafetensorError,
    SyntaxError,  # the header of an array of numpy is text that numpy parses
    tokenize.TokenError,
    RuntimeError,
    EOFError,
    OSError,
    AttributeError,
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    ArithmeticError,
    BufferError,
    ImportError,
    MemoryError,
    SystemError,
)
MESSAGE_LENGTH = 120
_NAME_LENGTH = 40
# A tensor made by `expand` shows its numbers many times and is stored in a few bytes; up to here it is read.
REPEATED_BYTES = 2**26
_OTHER_INSTRUCTION = "Unsupported operand"  # of torch: an instruction of pickle that torch.save makes no use of
_TORCH_REASON = "WeightsUnpickler error:"
_PICKLE_HEAD = b"\x80"
_allow_list = Lock()  # torch keeps one list for all threads


@contextmanager
def damage_told(path: Path, tell: Callable[[str], str]) -> Iterator[None]:
    """Turn all that reading a damaged file may raise in the block into a UserError; one passes as it is.

    Args:
        path: of the file.
        tell: makes the sentence from the reason: the role of the file, what is wrong, what to do.

    Raises:
        UserError: for any of LOAD_ERRORS. What the system does not let be read is told as that, without `tell`.
    """
    try:
        yield
    except UserError:
        raise
    except LOAD_ERRORS as error:
        if isinstance(error, OSError) and error.errno:
            raise cannot_read(path, error) from error
        raise UserError(tell(first_line(error))) from error


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
        one of LOAD_ERRORS: for anything else, before any of it runs, for tensors whose numbers are not all there,
            and for sparse ones and others whose numbers do not lie in memory as they are.
    """
    check_torch_file(path)
    value = _load(path, mmap=mmap)
    _check_dense(value)
    return value


def load_tensor_or_array(path: Path, *, mmap: bool = False) -> Any:
    """Read what `torch.save` or `pickle.dump` wrote, if it is made of tensors, plain values and numpy arrays.

    A tensor of another class (a subclass with a name of its own) comes back as a `NamelessTensor`, without the
    attributes of that class, which is never imported.

    Args:
        path: of the file.
        mmap: map the tensors from the file (copy on write) if it has the zip format of PyTorch 1.6 and later.

    Raises:
        one of LOAD_ERRORS: for anything else, before any of it runs, and for tensors and arrays whose numbers are not
            all there.
    """
    with path.open("rb") as file:
        start = file.read(HEAD_BYTES)
    is_zip = start.startswith(ZIP_HEAD)
    if start.startswith(_PICKLE_HEAD) and LEGACY_NUMBER not in start:
        return read_pickle(path)
    check_torch_file(path)
    with suppress(pickle.UnpicklingError):  # not tensors alone
        return _load(path, mmap=mmap and is_zip)
    try:
        return _load_with_arrays(path, mmap=mmap and is_zip, is_zip=is_zip)
    except pickle.UnpicklingError as error:
        if _OTHER_INSTRUCTION in str(error):
            raise other_protocol(path) from error
        raise


def _load(path: Path, *, mmap: bool) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)


def _check_dense(value: Any) -> None:
    """Raise ValueError for a tensor in dicts and lists whose numbers do not lie in memory as they are."""
    kind = unusual_kind(value) if isinstance(value, torch.Tensor) else None
    if kind is not None:
        raise ValueError(f"it holds {kind}")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        _check_dense(item)


def _load_with_arrays(path: Path, *, mmap: bool, is_zip: bool) -> Any:
    """As `_load`, for a file with arrays, or tensors of another class, which take a list that one thread has at a time.

    A file that `check_torch_file` has passed.
    """
    names = [(value, ".".join(key)) for key, value in ALLOWED.items()]
    with _allow_list, torch.serialization.safe_globals([*names, *BUILT]):
        others = torch.serialization.get_unsafe_globals_in_checkpoint(str(path)) if is_zip else []
        try:
            with torch.serialization.safe_globals([(NamelessTensor, name) for name in others]):
                return plain(_load(path, mmap=mmap))
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
    text = str(error)
    told = text.partition(_TORCH_REASON)[2].strip() or text.strip() or type(error).__name__
    return one_line(told.splitlines()[0].strip()[:MESSAGE_LENGTH])


def names_found(names: Iterable[Any]) -> str:
    r"""The first names of what a file holds, for a message; they may be anything.

    >>> names_found(["feats", "two\nlines", 7]), names_found([])
    ('feats, two\\nlines, 7', 'nothing')
    """
    known = [name if isinstance(name, str) else str(name) if isinstance(name, int) else "?" for name in names]
    return ", ".join(one_line(name[:_NAME_LENGTH]) for name in known[:5]) or "nothing"


def unusual_kind(tensor: torch.Tensor) -> str | None:
    """What a tensor is if its numbers do not lie in memory as they are; None for all others."""
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.layout != torch.strided:
        return "a sparse tensor"
    if tensor.is_quantized:
        return "a quantized tensor"
    if tensor.is_neg() or tensor.is_conj():
        return "a view of a tensor with another sign"
    return "a tensor without numbers (of the device 'meta')" if tensor.is_meta else None


class NamelessTensor(torch.Tensor):
    """Stands for a name that a file asks for and that is not allowed: fine as the class of a tensor, never called."""

    def __new__(cls, *args: Any, **kwargs: Any) -> NamelessTensor:
        """Refuse to make anything: the file would call what it names, not only call a tensor by that name."""
        raise pickle.UnpicklingError("a name that is not allowed was called")

    def __setstate__(self, state: Any) -> None:
        """Leave out what the class kept beside the numbers."""
