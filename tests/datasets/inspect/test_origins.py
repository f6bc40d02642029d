"""The marks that tools leave in their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from datasets.inspect.origins import Origin, origin_of


@pytest.mark.parametrize(
    ("names", "attributes", "of_coords", "expected"),
    [
        (("features", "coords"), {}, {}, Origin("CLAM", None)),
        (("features", "coords"), {}, {"patch_level": 0, "patch_size": 256}, Origin("CLAM", None)),
        (("features", "coords"), {}, {"patch_size_level0": 512, "target_magnification": 20}, Origin("TRIDENT", None)),
        (("feats", "coords"), {"stamp_version": "2.0.0", "extractor": b"uni"}, {}, Origin("STAMP 2.0.0", "uni")),
        (
            ("feats", "coords", "augmented"),
            {"extractor": "STAMP-extract-v1"},
            {},
            Origin("STAMP 1", "STAMP-extract-v1"),
        ),
        (("features",), {"encoder": "own"}, {}, Origin("an unknown tool", "own")),
    ],
)
def test_h5(tmp_path: Path, names: tuple[str, ...], attributes: dict, of_coords: dict[str, Any], expected: Origin):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        for name in names:
            file[name] = np.zeros((2, 2))
        file.attrs.update(attributes)
        if "coords" in names:
            file["coords"].attrs.update(of_coords)
    assert origin_of(tmp_path / "s.h5") == expected


def test_pt(tmp_path: Path):
    for folder, expected in (
        ("pt_files", Origin("CLAM", None)),
        ("features_uni_v1", Origin("an unknown tool", "uni_v1")),
    ):
        (tmp_path / folder).mkdir()
        torch.save(torch.zeros(2, 2), tmp_path / folder / "s.pt")
        assert origin_of(tmp_path / folder / "s.pt") == expected
        np.savez(tmp_path / folder / "s.index.npz", np.zeros((2, 2)))
        assert origin_of(tmp_path / folder / "s.pt").tool == "slideflow"
