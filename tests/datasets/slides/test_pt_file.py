"""Rows read from where they lie in a .pt file against the rows of the tensor."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datasets.slides.features import open_slide, read_rows, read_shape, read_slide
from datasets.slides.pt_file import load_pt, storage_begin
from datasets.slides.tensor_rows import read_tensor_rows
from tests.utils.files.torch_archives import rewritten, with_number
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


REPEATED = "the same numbers over and over: extract its features again"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (torch.zeros(1).expand(10**15, 1024), REPEATED),
        (torch.zeros(1).expand(2**20, 1024), REPEATED),
        (torch.zeros(2**20 + 1024).unfold(0, 1024, 1), REPEATED),
        (
            {"features": torch.ones(3, 4), "coords": torch.zeros(1).expand(10**11, 2)},
            r"coords of shape \(100000000000, 2\)",
        ),
        ({"features": torch.ones(3, 4), "coords": torch.zeros(3, 2).to_sparse()}, "'coords' as a sparse tensor"),
        ({"features": torch.ones(3, 4), "coords": torch.zeros(3, 2, device="meta")}, "'coords' as a tensor without"),
        (
            {"features": torch.ones(3, 4), "coords": torch._neg_view(torch.zeros(3, 2))},
            "'coords' as a view of a tensor",
        ),
        (torch._neg_view(torch.ones(3, 4)), "holds a view of a tensor with another sign: expected a dense tensor"),
        (torch.ones(3, 4, dtype=torch.complex64).conj(), "holds a view of a tensor with another sign"),
        (torch.ones(3, 4, dtype=torch.complex64), "features of type complex64"),
        (torch.ones(3, 4, dtype=torch.bool), "features of type bool"),
        (torch.ones(3, 4).to(torch.float8_e5m2), "features of type float8_e5m2"),
        (torch.eye(3).to_sparse(), "holds a sparse tensor"),
        (torch.tensor(1.5), r"features of shape \(\)"),
        (torch.ones(3, 4).untyped_storage(), "holds a UntypedStorage|holds a TypedStorage"),
        ({"a\nb" * 100: torch.ones(3, 4), 7: 1, (1, 2): 2}, r"found a\\nb.*, 7, \?\): save"),
    ],
    ids=range(16),
)
@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.filterwarnings("ignore:Sparse:UserWarning", "ignore:TypedStorage:UserWarning")
def test_tensors_of_other_kinds_are_one_sentence(tmp_path: Path, content: Any, said: str, as_zip: bool):
    torch.save(content, tmp_path / "s.pt", _use_new_zipfile_serialization=as_zip)
    said = said if as_zip else f"{said}|has no attribute 'dtype'"  # torch cannot read back some types of today
    for read in (read_slide, read_shape):
        with pytest.raises(UserError, match=said) as raised:
            read(tmp_path / "s.pt")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int16, torch.float64])
def test_coords_of_each_type_of_numbers(tmp_path: Path, dtype: torch.dtype):
    coords = torch.arange(6).reshape(3, 2)
    torch.save({"features": torch.ones(3, 4), "coords": coords.to(dtype)}, tmp_path / "s.pt")
    assert torch.equal(read_slide(tmp_path / "s.pt").coords, coords)


def test_a_coordinate_that_no_integer_holds(tmp_path: Path):
    coords = torch.from_numpy(np.full((3, 2), 2**63, np.uint64))
    torch.save({"features": torch.ones(3, 4), "coords": coords}, tmp_path / "s.pt")
    with pytest.raises(UserError, match="coords as far from 0 as"):
        read_slide(tmp_path / "s.pt")


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_compressed_archive_is_refused(tmp_path: Path, compression: int):
    """Mapped into memory, its compressed bytes would be read as numbers."""
    torch.save(numbers(50, 6), tmp_path / "s.pt")
    path = rezipped(tmp_path / "s.pt", b"little", compression)
    with pytest.raises(UserError, match=r"other\.pt was compressed after torch\.save wrote it"):
        read_slide(path)


def test_a_storage_that_is_declared_longer_than_it_is(tmp_path: Path):
    path = rewritten(tmp_path / "s.pt", numbers(11, 7), pickled=with_number(77, 770))
    with pytest.raises(UserError, match=r"declares 3,080 bytes of numbers and has 308 bytes of them\): if it is trunc"):
        read_slide(path)
