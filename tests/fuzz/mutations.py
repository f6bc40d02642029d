"""The n-th input of a seed: a valid file, damaged. Equal seed and number give equal bytes."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.fuzz import archive_mutations
from tests.fuzz.byte_mutations import LARGEST, mutate_bytes, splice
from tests.fuzz.text_mutations import mutate_json, mutate_text

_AS_FORMAT = 0.7  # how often a file is damaged as what it is, not as bytes


def make_input(valid: Sequence[bytes], seed: int, number: int) -> bytes:
    """The bytes of one input."""
    rng = Random(f"{seed}:{number}")
    data = rng.choice(valid)
    if rng.random() < 0.05:
        data = splice(data, rng.choice(valid), rng)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = mutate(data, rng)
    return data


def mutate(data: bytes, rng: Random) -> bytes:
    """One change: of what the bytes are where that is known, else of bytes."""
    if rng.random() < _AS_FORMAT:
        for kind in archive_mutations.ALL:
            changed = kind(data, rng, mutate)
            if changed is not None:
                return changed[: LARGEST << 4]
        for text in (mutate_json, mutate_text):
            changed = text(data, rng) if len(data) < LARGEST and rng.random() < 0.8 else None
            if changed is not None:
                return changed[:LARGEST]
    return mutate_bytes(data, rng)
