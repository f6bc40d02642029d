"""Reading rows of a tensor from where they lie in its .pt file."""

from __future__ import annotations

import mmap
import struct
import sys
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from datasets.errors import DataError
from datasets.slides.file_rows import read_file_rows

_SIGNATURE = b"PK\x03\x04"
_LOCAL_HEADER = struct.Struct("<26xHH")  # the lengths of the name and of the extra field, which follow it


def read_pt_rows(path: Path, features: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
    """Return these rows (len(rows), D) of the features (M, D) or (1, M, D) that `load_pt` gave for this file.

    Where it is not certain how the file holds them, they are taken from the memory map. Raises DataError if they cannot
    be read.
    """
    matrix = features.reshape(features.shape[-2:])  # (1, M, D) -> (M, D), a view
    try:
        begin = storage_begin(path, matrix)
        if begin is None or matrix.stride(1) != 1:
            return matrix[torch.from_numpy(rows)]
        taken = torch.empty((len(rows), matrix.shape[1]), dtype=matrix.dtype)
        positions = int(matrix.storage_offset()) + rows * int(matrix.stride(0))
        read_file_rows(path, begin + positions * matrix.element_size(), taken.view(torch.uint8).numpy())
    except OSError as error:
        raise DataError(f"{path} cannot be read (truncated or damaged?): extract its features again") from error
    return taken


def storage_begin(path: Path, tensor: torch.Tensor) -> int | None:
    """Where the storage of a tensor of a .pt file begins in it, in bytes; None where that is not certain.

    It is the one plain record with as many bytes as the storage and, since memory maps begin with a page, as far behind
    the begin of one. Files of the format before PyTorch 1.6, and numbers in another byte order, have none.
    """
    storage = tensor.untyped_storage()
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            records = archive.infolist()
            orders = {archive.read(record) for record in records if record.filename.endswith("/byteorder")}
            begins = [_begin_of(record, file) for record in records if record.file_size == storage.nbytes()]
    except zipfile.BadZipFile:
        return None
    fitting = [begin for begin in begins if (storage.data_ptr() - begin) % mmap.PAGESIZE == 0]
    return fitting[0] if len(fitting) == 1 and orders <= {sys.byteorder.encode()} else None


def _begin_of(record: zipfile.ZipInfo, file: BinaryIO) -> int:
    """Where the content of a record begins in the file of its archive; BadZipFile if it is packed or no record."""
    file.seek(record.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if not header.startswith(_SIGNATURE) or len(header) < _LOCAL_HEADER.size or record.compress_type:
        raise zipfile.BadZipFile
    return record.header_offset + len(header) + sum(_LOCAL_HEADER.unpack(header))
