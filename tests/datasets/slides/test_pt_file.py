"""Rows read from where they lie in a .pt file against the rows of the tensor."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.slides.features import open_slide, read_rows, read_slide
from datasets.slides.pt_file import load_pt, storage_begin
from datasets.slides.tensor_rows import read_tensor_rows
from utils.errors import UserError

ROWS = [[0], [49], [0, 49], [3, 4, 5, 20, 21, 48, 49], list(range(50)), []]


def numbers(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)


def begin_of(path: Path) -> int | None:
    return storage_begin(path, load_pt(path)[0])


def rezipped(path: Path, byteorder: bytes | None = None, compression: int = zipfile.ZIP_STORED) -> Path:
    """The same archive with another record `byteorder`, or packed; PyTorch 1 wrote none."""
    other = path.with_name("other.pt")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for record in source.infolist():
            if not record.filename.endswith("/byteorder"):
                target.writestr(record.filename, source.read(record), compression)
            elif byteorder is not None:
                target.writestr(record.filename, byteorder)
    return other


@pytest.mark.parametrize("rows", ROWS, ids=len)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["tensor", "leading one", "dict", "coords first"])
def test_rows_are_read_from_where_they_lie(tmp_path, kind, dtype, rows):
    features, path = numbers(50, 6, dtype=dtype), tmp_path / "s.pt"
    coords = torch.arange(100).reshape(50, 2)
    contents = {
        "tensor": features,
        "leading one": features[None],
        "dict": {"features": features, "coords": coords},
        "coords first": {"coords": coords, "features": features},
    }
    torch.save(contents[kind], path)
    taken = read_rows(path, np.array(rows, dtype=np.int64))
    assert taken.dtype == dtype
    assert torch.equal(taken, features[rows])
    begin = begin_of(path)
    assert begin is not None
    assert path.read_bytes()[begin : begin + features.nbytes] == bytes(features.view(torch.uint8).numpy())


@pytest.mark.parametrize(
    "view",
    [
        numbers(80, 6)[7:57],
        numbers(150, 6)[10:110:2],
        numbers(50, 12)[:, 3:9],
        numbers(6, 50).T,
        numbers(50, 12)[:, ::2],
        numbers(1, 6).expand(50, 6),
        numbers(50, 1).expand(50, 6),
        numbers(70, 3, 6)[9:59, 1][None],
    ],
    ids=["rows", "every other row", "columns", "transposed", "every other column", "one row", "one column", "3-D"],
)
def test_views_give_their_rows(tmp_path, view):
    torch.save(view, tmp_path / "s.pt")
    expected = view.reshape(50, 6)
    for rows in ROWS:
        assert torch.equal(read_rows(tmp_path / "s.pt", np.array(rows, dtype=np.int64)), expected[rows])


def test_two_records_of_one_size_are_told_apart_or_left_to_the_map(tmp_path):
    """Float16 features of width 8 have as many bytes as their coords; 512 rows of both have whole pages."""
    for n_patches in (50, 512):
        features, path = numbers(n_patches, 8, dtype=torch.float16), tmp_path / "s.pt"
        torch.save({"features": features, "coords": torch.zeros(n_patches, 2, dtype=torch.int64)}, path)
        assert torch.equal(read_rows(path, np.array([1, 30])), features[[1, 30]])


def test_the_format_before_zip_is_left_to_torch(tmp_path):
    features, path = numbers(50, 6), tmp_path / "s.pt"
    torch.save(features, path, _use_new_zipfile_serialization=False)
    assert begin_of(path) is None
    for rows in ROWS:
        assert torch.equal(read_rows(path, np.array(rows, dtype=np.int64)), features[rows])


def test_numbers_in_another_byte_order_are_left_to_torch(tmp_path):
    features = numbers(50, 6)
    torch.save(features, tmp_path / "s.pt")
    path = rezipped(tmp_path / "s.pt", b"big")
    assert begin_of(path) is None
    assert torch.equal(read_rows(path, np.array([2, 9])), load_pt(path)[0][[2, 9]])
    path = rezipped(tmp_path / "s.pt")  # no record of it, as before PyTorch 2
    assert begin_of(path) is not None
    assert torch.equal(read_rows(path, np.array([2, 9])), features[[2, 9]])


def test_a_packed_record_has_no_place(tmp_path):
    torch.save(torch.ones(50, 6), tmp_path / "s.pt")
    features = load_pt(tmp_path / "s.pt")[0]
    assert storage_begin(rezipped(tmp_path / "s.pt", b"little", zipfile.ZIP_DEFLATED), features) is None


def test_a_file_that_vanishes_after_it_was_opened_is_a_data_error(tmp_path):
    path = tmp_path / "s.pt"
    torch.save(numbers(5000, 6), path)
    with open_slide(path) as slide:
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(UserError, match=r"s\.pt cannot be read"):
            slide.load_rows(np.array([4999]))
        path.write_bytes(content)
        features = load_pt(path)[0]
        assert torch.equal(read_tensor_rows(path, features, storage_begin, np.array([4999])), numbers(5000, 6)[[4999]])


def test_rows_are_those_of_the_whole_slide_for_many_sizes(tmp_path):
    rng = np.random.default_rng(0)
    for n_patches, width in [(1, 1), (1, 5), (2, 1), (700, 3), (4096, 16)]:
        path = tmp_path / "s.pt"
        torch.save(numbers(n_patches, width), path)
        whole = read_slide(path).features
        for n_rows in {1, n_patches // 3, n_patches}:
            rows = np.sort(rng.choice(n_patches, size=n_rows, replace=False))
            assert torch.equal(read_rows(path, rows), whole[torch.from_numpy(rows)])
