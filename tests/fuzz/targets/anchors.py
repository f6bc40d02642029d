"""The anchors of a data set or a slide: a tensor, or an array of the released code."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from utils.anchors.anchor_files import read_anchors, write_anchors

SUFFIX = ".pt"
_ANCHORS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


def seeds(folder: Path) -> list[Path]:
    write_anchors(folder / "written.pt", _ANCHORS.numpy())
    torch.save(_ANCHORS[None].double().requires_grad_(), folder / "batch.pt")
    torch.save(_ANCHORS, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(_ANCHORS.numpy(), folder / "array.pt")
    for protocol in (2, 4):
        (folder / f"pickle_{protocol}.pt").write_bytes(pickle.dumps(_ANCHORS.numpy(), protocol=protocol))
    return sorted(folder.glob("*.pt"))


def read(path: Path) -> None:
    read_anchors(path, None, 5)
    read_anchors(path, 6, 5)
