"""Writing .h5 files where there is no room, and what a reader of several threads sees."""

from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.slides.features import read_rows, read_slide, write_slide
from utils.errors import UserError


@pytest.mark.parametrize("n_patches", [20, 5000])  # HDF5 notices when it closes, and when it writes
def test_no_room_is_what_the_system_says(tmp_path: Path, n_patches: int):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(UserError, match=r"s\.h5 cannot be written \(File too large\)"):
            write_slide(tmp_path / "s.h5", torch.ones(n_patches, 16))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    write_slide(tmp_path / "s.h5", torch.ones(n_patches, 16))
    assert read_slide(tmp_path / "s.h5").features.shape == (n_patches, 16)


def test_several_threads_read_what_one_reads(tmp_path: Path):
    paths = [tmp_path / f"{index}.h5" for index in range(4)]
    for index, path in enumerate(paths):
        write_slide(path, torch.arange(800.0).reshape(100, 8) + index, torch.zeros(100, 2))
    jobs = [(path, index) for _ in range(10) for index, path in enumerate(paths)]

    def is_right(job: tuple[Path, int]) -> bool:
        path, index = job
        expected = torch.arange(800.0).reshape(100, 8) + index
        rows = np.array([1, 50])
        return torch.equal(read_slide(path).features, expected) and torch.equal(read_rows(path, rows), expected[rows])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(is_right, jobs))
