"""Where the rows of chunked .h5 files lie, as a short text that an index can keep.

To find them takes longer than to read the rows: of 10,000 x 768 float16 in chunks of one row (CLAM, TRIDENT) 42 of 55
ms from the page cache. Features and coordinates appended in turn repeat the same few steps: 10,000 rows take 1 kB.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from datasets.slides.attributes import FEATURE_NAMES
from datasets.slides.h5_chunks import Stretches, find_in_dataset
from datasets.slides.h5_remembered import recall, remember

_NAMES = (*FEATURE_NAMES, "coords")
_INT64 = np.dtype("<i8")


def places_found(path: Path) -> str:
    """The places that this process has found in a file as it is now; empty without any."""
    found = recall(find_in_dataset, path, [f"/{name}" for name in _NAMES])
    return encoded({name.removeprefix("/"): stretches for name, stretches in found.items() if stretches is not None})


def use_places(path: Path, text: str) -> None:
    """Let the file, as it is now, be read at these places (`places_found` gave them), unless its own are known."""
    if text and not recall(find_in_dataset, path, [f"/{name}" for name in _NAMES]):
        remember(find_in_dataset, path, {f"/{name}": stretches for name, stretches in decoded(text).items()})


def encoded(places: Mapping[str, Stretches]) -> str:
    """Places {name of the dataset: where its rows lie} as a text without blanks, commas and quotes between them."""
    return " ".join(f"{name}:{each.n_rows}:{_packed(each)}" for name, each in places.items())


def decoded(text: str) -> dict[str, Stretches]:
    """The inverse of `encoded`; ValueError for another text."""
    places = {}
    for part in text.split():
        name, n_rows, packed = part.split(":")
        try:
            steps = np.frombuffer(zlib.decompress(base64.b64decode(packed, validate=True)), dtype=_INT64).reshape(2, -1)
        except (zlib.error, binascii.Error) as error:
            raise ValueError(f"no places of chunks: {part[:40]}") from error
        first, offset = np.cumsum(steps, axis=1, dtype=np.int64)
        places[name] = Stretches(first, offset, int(n_rows))
    return places


def _packed(stretches: Stretches) -> str:
    steps = np.array([stretches.first, stretches.offset], dtype=_INT64)
    steps[:, 1:] -= steps[:, :-1].copy()
    return base64.b64encode(zlib.compress(steps.tobytes(), 9)).decode("ascii")
