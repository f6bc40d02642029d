"""What is special about .safetensors: bfloat16, metadata, where the numbers lie."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from datasets.slides.features import open_slide, read_rows, read_shape, read_slide
from datasets.slides.safetensors_file import begin_of_tensor, load_safetensors
from utils.errors import UserError


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_numbers_are_read_from_where_they_lie(tmp_path: Path, dtype: torch.dtype):
    features = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    path, coords = tmp_path / "s.safetensors", torch.arange(100).reshape(50, 2)
    save_file({"coords": coords, "feats": features}, path, metadata={"mpp": "0.25", "encoder": "uni", "scale": "nan"})
    slide = read_slide(path)
    assert slide.features.dtype == dtype
    assert torch.equal(slide.features, features)
    assert slide.coords is not None
    assert torch.equal(slide.coords, coords)
    assert slide.attributes == {"mpp": 0.25}
    begin = begin_of_tensor(path, load_safetensors(path).features)
    assert begin is not None
    assert path.read_bytes()[begin : begin + features.nbytes] == bytes(features.view(torch.uint8).numpy())
    assert torch.equal(read_rows(path, np.array([0, 7, 8, 49])), features[[0, 7, 8, 49]])


def test_a_file_without_features_names_what_it_holds(tmp_path: Path):
    save_file({"weight": torch.zeros(2, 3)}, tmp_path / "s.safetensors")
    with pytest.raises(UserError, match=r"no tensor 'features' \(found weight\): save the features"):
        read_slide(tmp_path / "s.safetensors")


def test_other_types_are_refused(tmp_path: Path):
    save_file({"features": torch.zeros(2, 3, dtype=torch.float8_e4m3fn)}, tmp_path / "s.safetensors")
    with pytest.raises(UserError, match="features of type float8_e4m3fn: expected float16"):
        read_slide(tmp_path / "s.safetensors")


def test_a_file_that_vanishes_is_an_error_of_its_path(tmp_path: Path):
    path = tmp_path / "s.safetensors"
    save_file({"features": torch.ones(9, 3)}, path)
    with open_slide(path) as slide:
        path.unlink()
        with pytest.raises(UserError, match=r"s\.safetensors cannot be read"):
            slide.load_rows(np.array([1]))


def headed(header: bytes, numbers: bytes = bytes(24), length: int | None = None) -> bytes:
    return (len(header) if length is None else length).to_bytes(8, "little") + header + numbers


def features(offsets: list[int], shape: list[int], dtype: str = "F32") -> bytes:
    entry = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
    return json.dumps({"features": entry}).encode()


@pytest.mark.parametrize(
    "content",
    [
        headed(b"{}", length=2**63),
        headed(b"{}", length=10**9),
        headed(features([0, 24], [2, 3]), length=3),
        headed(features([0, 48], [4, 3])),
        headed(features([24, 48], [2, 3])),
        headed(features([24, 0], [2, 3])),
        headed(features([0, 24], [10**15, 1024])),
        headed(features([0, 24], [2**63, 2**63])),
        headed(features([0, 24], [2, 3], "F999")),
        headed(features([0, 12], [2, 3]), bytes(12)),
        headed(b'{"features":' + b"[" * 50_000),
        headed(b'{"feat\xffures": 1}'),
        headed(b'{"__metadata__": {"a": 1}, "features": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}'),
        headed(b'{"features": null}'),
        headed(b"[]"),
        headed(b""),
        b"\1",
    ],
    ids=range(17),
)
def test_headers_that_cannot_be_right(tmp_path: Path, content: bytes):
    (tmp_path / "s.safetensors").write_bytes(content)
    for read in (read_slide, read_shape):
        with pytest.raises(UserError, match=r"s\.safetensors cannot be read as a \.safetensors file") as raised:
            read(tmp_path / "s.safetensors")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("shape", [(8, 2), (3, 2), (9, 3), (9,), (2, 9)])
def test_coords_of_another_shape_are_refused_before_they_are_read(tmp_path: Path, shape: tuple[int, ...]):
    save_file({"features": torch.ones(9, 3), "coords": torch.zeros(shape)}, tmp_path / "s.safetensors")
    for read in (read_slide, read_shape):
        with pytest.raises(UserError, match="for 9 patches: expected"):
            read(tmp_path / "s.safetensors")
