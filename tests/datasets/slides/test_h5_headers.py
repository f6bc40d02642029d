"""Virtual datasets are known by the bytes of their headers, before HDF5 opens them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from datasets.slides.features import read_slide
from datasets.slides.h5_headers import is_virtual
from tests.fuzz.targets.h5 import seeds
from utils.errors import UserError

LIBVERS = ("earliest", "v108", "v110", "latest")


def answer(path: Path, name: str) -> bool:
    with h5py.File(path, driver="sec2") as file:
        return is_virtual(file.id.get_vfd_handle(), file.id.links.get_info(name.encode()).u, file.userblock_size)


def write_virtual(path: Path, *, attributes: int = 0, **options: Any) -> Path:
    with h5py.File(path, "w", **options) as file:
        layout = h5py.VirtualLayout((40, 8), "f4")
        layout[:] = h5py.VirtualSource("other.h5", "features", (40, 8))
        dataset = file.create_virtual_dataset("features", layout)
        for index in range(attributes):  # in blocks of the header that continue it
            dataset.attrs[f"attribute_{index}"] = np.arange(20)
    return path


@pytest.mark.parametrize("attributes", [0, 3, 7, 30])
@pytest.mark.parametrize("userblock_size", [0, 512])
@pytest.mark.parametrize("libver", LIBVERS)
def test_a_virtual_dataset_is_known(tmp_path: Path, libver: str, userblock_size: int, attributes: int):
    path = tmp_path / "s.h5"
    assert answer(write_virtual(path, attributes=attributes, libver=libver, userblock_size=userblock_size), "features")
    with pytest.raises(UserError, match="virtual dataset"):
        read_slide(path)


def test_no_other_dataset_is_called_virtual(tmp_path: Path):
    for path in seeds(tmp_path):
        with h5py.File(path) as file:
            names = list(file)
        assert not any(answer(path, name) for name in names), path


@pytest.mark.parametrize("order", [True, False])
@pytest.mark.parametrize("libver", LIBVERS)
def test_times_and_order_do_not_mislead(tmp_path: Path, libver: str, order: bool):
    with h5py.File(tmp_path / "s.h5", "w", libver=libver, track_order=order) as file:
        dataset = file.create_dataset(
            "features", data=np.ones((4, 2)), chunks=(1, 2), track_times=True, track_order=order
        )
        dataset.attrs.update({f"attribute_{index}": np.arange(20) for index in range(6)})
    assert not answer(tmp_path / "s.h5", "features")


def test_a_damaged_heap_of_sources_does_not_stop_it(tmp_path: Path):
    path = write_virtual(tmp_path / "s.h5")
    content = path.read_bytes()
    begin = content.index(b"GCOL") + 16
    path.write_bytes(content[:begin] + struct.pack("<HHIQ", 0, 0, 0, 0) + content[begin + 16 :])
    with pytest.raises(UserError, match="virtual dataset"):
        read_slide(path)


@pytest.mark.parametrize("content", [b"", b"\x01", b"OHDR", b"OHDR\x02\xff" + b"\xff" * 40, b"\x01\x00" + b"\xff" * 60])
def test_what_is_no_header_is_left_to_hdf5(tmp_path: Path, content: bytes):
    (tmp_path / "f").write_bytes(content)
    with (tmp_path / "f").open("rb") as file:
        assert not is_virtual(file.fileno(), 0, 0)
        assert not is_virtual(file.fileno(), 2**64 - 1, 0)
