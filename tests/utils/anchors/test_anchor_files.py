from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.utils.files.torch_archives import rewritten
from utils.anchors.anchor_files import (
    dataset_anchors_path,
    provenance_path,
    read_anchors,
    read_provenance,
    slide_anchors_dir,
    write_anchors,
    write_provenance,
)
from utils.anchors.feature_norm import FeatureNorm
from utils.errors import UserError

CENTROIDS = np.arange(12, dtype=np.float64).reshape(4, 3) / 7


def test_names_of_the_files():
    out = Path("out")
    assert dataset_anchors_path(out, "BLCA", 64, None) == out / "BLCA_C_64_init.pt"
    assert dataset_anchors_path(out, "BLCA", 64, "fold0") == out / "BLCA_C_64_init_fold0.pt"
    assert slide_anchors_dir(out, "BLCA", 8, None) == out / "BLCA_C_8_slides"
    assert slide_anchors_dir(out, "BLCA", 8, "fold0") == out / "BLCA_C_8_slides_fold0"
    assert provenance_path(out / "BLCA_C_64_init.pt") == out / "BLCA_C_64_init.json"
    assert provenance_path(out / "BLCA_C_64_slides") == out / "BLCA_C_64_slides.json"
    assert provenance_path(out / "v1.5_C_64_slides") == out / "v1.5_C_64_slides.json"


def test_the_record_of_the_working_directory_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    slides = tmp_path / "BLCA_C_4_slides"
    (slides / "inner").mkdir(parents=True)
    write_provenance(slides, {"seed": 1}, FeatureNorm("l2"))
    monkeypatch.chdir(slides)
    assert read_provenance(Path()).feature_norm.kind == "l2"
    monkeypatch.chdir(slides / "inner")
    assert read_provenance(Path("..")).record["seed"] == 1


def test_anchors_are_a_plain_float32_tensor_with_a_record_beside(tmp_path: Path):
    path = tmp_path / "new" / "BLCA_C_4_init.pt"
    write_anchors(path, CENTROIDS)
    write_provenance(path, {"seed": 1234, "slides": ["a", "b"]}, FeatureNorm("l2"))
    value = torch.load(path, weights_only=True)
    assert type(value) is torch.Tensor
    assert value.dtype == torch.float32
    np.testing.assert_array_equal(value.numpy(), CENTROIDS.astype(np.float32))
    torch.testing.assert_close(read_anchors(path, 4, 3), value, rtol=0, atol=0)
    record = json.loads((tmp_path / "new" / "BLCA_C_4_init.json").read_text())
    assert record == {"seed": 1234, "slides": ["a", "b"], "feature_norm": {"kind": "l2"}}
    provenance = read_provenance(path)
    assert provenance.feature_norm.kind == "l2"
    assert provenance.slides == {"a", "b"}
    assert sorted(p.name for p in path.parent.iterdir()) == ["BLCA_C_4_init.json", "BLCA_C_4_init.pt"]


def test_equal_anchors_give_equal_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_anchors(tmp_path / "BLCA_C_4_init_fold0.pt", CENTROIDS)
    monkeypatch.setattr("os.getpid", lambda: 1)  # as of another process
    write_anchors(tmp_path / "BLCA_C_4_init_fold1.pt", CENTROIDS.copy())
    assert len({path.read_bytes() for path in tmp_path.glob("*.pt")}) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_leading_one_and_other_precisions_are_accepted(tmp_path: Path, dtype: torch.dtype):
    tensor = torch.from_numpy(CENTROIDS).to(dtype)
    torch.save(tensor[None].requires_grad_(), tmp_path / "a.pt")
    got = read_anchors(tmp_path / "a.pt", 4, 3)
    assert not got.requires_grad
    torch.testing.assert_close(got, tensor.float(), rtol=0, atol=0)


def nan_tensor() -> torch.Tensor:
    tensor = torch.ones(4, 3)
    tensor[2, 1] = torch.nan
    return tensor


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.ones(5, 3), r"holds 5 anchors and --n_clusters is 4: make them equal"),
        (torch.ones(4, 2), r"anchors of width 2 and the features have width 3: fit the anchors on these features"),
        (torch.ones(2, 4, 3), r"shape \(2, 4, 3\), expected \(K, D\) or \(1, K, D\): fit"),
        (torch.ones(12), r"shape \(12,\), expected \(K, D\)"),
        (nan_tensor(), r"holds NaN or infinity: fit the anchors again"),
        (torch.full((4, 3), torch.inf), r"holds NaN or infinity"),
        (torch.full((4, 3), 1e300, dtype=torch.float64), r"holds NaN or infinity"),  # infinity in float32
        (np.full((4, 3), 1e300), r"holds NaN or infinity"),
        (torch.ones(4, 3, dtype=torch.int64), r"holds Tensor of torch.int64, expected .*floating-point.*: fit"),
        (torch.ones(4, 3, dtype=torch.complex64), r"holds Tensor of torch.complex64, expected"),
        ({"anchors": torch.ones(4, 3)}, r"holds dict, expected .*: fit the anchors .*or name another file"),
        ([1.0, 2.0], r"holds list, expected"),
    ],
)
def test_anchors_that_cannot_be_used_are_refused(tmp_path: Path, value: object, message: str):
    path = tmp_path / "a.pt"
    torch.save(value, path)
    with pytest.raises(UserError, match=message) as raised:
        read_anchors(path, 4, 3)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.complex128])
def test_arrays_of_anything_but_floats_are_refused(tmp_path: Path, dtype: type):
    path = tmp_path / "a.pt"
    path.write_bytes(pickle.dumps(np.ones((4, 3), dtype=dtype)))
    with pytest.raises(UserError, match=f"a.pt holds ndarray of {np.dtype(dtype)}, expected"):
        read_anchors(path, 4, 3)


@pytest.mark.parametrize(
    "content", [b"", b"1.0 2.0\n3.0 4.0\n", b"PK\x03\x04 broken", b"\x80", b"\x80\x04garbage", b"\0"]
)
def test_files_of_something_else_are_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"is refused as an anchor file .*fit the anchors") as raised:
        read_anchors(path, 4, 3)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_damaged_files_are_refused_or_read_but_never_a_traceback(tmp_path: Path):
    """Every length, and a byte changed at every 3rd place."""
    path = tmp_path / "a.pt"
    write_anchors(path, CENTROIDS)
    whole = path.read_bytes()
    pickled = pickle.dumps(CENTROIDS.astype(np.float32), protocol=2)
    damaged = [whole[:n] for n in range(0, len(whole), 29)] + [pickled[:n] for n in range(len(pickled))]
    damaged += [whole[:n] + b"\xff" + whole[n + 1 :] for n in range(0, len(whole), 29)]
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            read_anchors(path, 4, 3)
        except UserError:
            refused += 1
    assert refused >= len(pickled)


@pytest.mark.parametrize("name", ["nothing.pt", "folder"])
def test_a_missing_file_is_named(tmp_path: Path, name: str):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"no anchor file at .*{name}: fit the anchors with run_clustering.py"):
        read_anchors(tmp_path / name, 4, 3)


def test_without_a_record_features_stay_as_they_are(tmp_path: Path):
    provenance = read_provenance(tmp_path / "a.pt")
    assert (provenance.feature_norm.kind, provenance.record, provenance.slides) == ("none", {}, frozenset())


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        "{}",
        '{"feature_norm": {"kind": "other"}}',
        '{"feature_norm": "l2"}',
        '{"feature_norm": {"kind": "zscore"}}',
        '{"feature_norm": {"kind": "none"}, "slides": null}',
        '{"feature_norm": {"kind": "none"}, "slides": [1]}',
        "\xff",
    ],
)
def test_a_damaged_record_is_refused(tmp_path: Path, text: str):
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"a\.json, cannot be read \(.*\): fit the anchors again"):
        read_provenance(tmp_path / "a.pt")


@pytest.mark.parametrize("n_clusters", [None, 4])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(1).expand(10**15, 3), "the same numbers over and over|10{15} anchors and"),
        (torch.zeros(1).expand(10**15, 1024), "anchors of width 1024"),
        (torch.eye(3).to_sparse(), "holds a sparse tensor, expected"),
        (torch._neg_view(torch.ones(4, 3)), "holds a view of a tensor with another sign, expected"),
        (torch.ones(4, 3, device="meta"), "holds a tensor without numbers"),
        (torch.tensor(1.0), r"shape \(\), expected"),
    ],
    ids=range(6),
)
def test_anchors_that_are_not_in_their_file(tmp_path: Path, value: object, message: str, n_clusters: int | None):
    torch.save(value, tmp_path / "a.pt")
    with pytest.raises(UserError, match=message):
        read_anchors(tmp_path / "a.pt", n_clusters, 3)


def test_a_compressed_anchor_file_is_refused_before_it_is_unpacked(tmp_path: Path):
    """Deflate makes a thousandth of zeros: 2 GB of 2 MB."""
    path = rewritten(tmp_path / "a.pt", torch.zeros(4, 3), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match=r"a\.pt was compressed after torch\.save wrote it"):
        read_anchors(path, 4, 3)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"feature_norm": ' * 10_000,
        '{"feature_norm": {"kind": "zscore", "mean": [1%s], "std": [1]}}' % ("0" * 400),
        '{"feature_norm": {"kind": "zscore", "mean": [1%s], "std": [1]}}' % ("0" * 5000),
        '{"feature_norm": {"kind": "zscore", "mean": [NaN], "std": [1]}}',
        '{"feature_norm": {"kind": "zscore", "mean": [[[1]], 2], "std": {}}}',
        '{"feature_norm": {"kind": ["l2"]}}',
        '{"feature_norm": {"kind": "none"}, "features": ["a"]}',
        '{"feature_norm": {"kind": "none"}, "features": {"a": [1]}}',
        '{"feature_norm": {"kind": "none"}, "slides": {"a": 1}}',
        "\0\0\0\0",
    ],
    ids=range(11),
)
def test_a_hostile_record_is_refused(tmp_path: Path, text: str):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=r"a\.json, cannot be read \(.*\): fit the anchors again") as raised:
        read_provenance(tmp_path / "a.pt")
    assert len(str(raised.value)) < 400


def test_pipes_in_the_place_of_files_are_not_waited_for(tmp_path: Path):
    for name in ("a.pt", "a.json"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="no anchor file at"):
        read_anchors(tmp_path / "a.pt", 4, 3)
    with pytest.raises(UserError, match="no regular file"):
        read_provenance(tmp_path / "a.pt")
