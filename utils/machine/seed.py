"""Seeds: the random streams of a run are functions of the seed and of where in the run they are used."""

from __future__ import annotations

import hashlib
import json
import random

import numpy as np
import torch


def derive_seed(seed: int, *place: int | str) -> int:
    """A seed for one place of a run, such as `(2024, "order", fold, epoch)`; 63 bits, the same on every machine.

    Streams that depend on their place alone make a resumed run repeat an uninterrupted one, and a sample independent
    of how many workers drew the others. The digest of the written-out place keeps apart what numpy's SeedSequence
    mixes up: for it, 7 and (7, 0) are the same.
    """
    written = json.dumps([seed, *place]).encode()
    return int.from_bytes(hashlib.sha256(written).digest()[:8], "big") >> 1


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's global generators (CPU and GPU)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  libraries that draw from numpy's global generator
    torch.manual_seed(seed)
