"""Large bags in blocks of rows, so that memory does not grow with the number of patches.

Prediction goes through a bag block by block and keeps no embedding: what is needed again, in the paper form, is
computed again from the features (replayed), or held where the bag has few rows. Training works in blocks above a number
of rows: what autograd needs of a block is computed again in the backward pass (`torch.utils.checkpoint`, which repeats
dropout's draws), one forward pass more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from models.kernels.segment_ops import Segments

BLOCK_ROWS = 8192

Result = TypeVar("Result")


@dataclass(frozen=True)
class RowBlock:
    """Rows `start .. stop - 1` of a ragged tensor.

    Attributes:
        rows: the slice of these rows.
        slides: where the rows of each slide lie in the block, for the slides that it touches.
        slide_range: the slice of these slides.
    """

    rows: slice
    slides: Segments
    slide_range: slice

    def own(self, anchors: Tensor) -> Tensor:
        """The anchors of the block's slides; shared ones (K, d) are everybody's."""
        return anchors if anchors.dim() == 2 else anchors[self.slide_range]


def blocks_of(slides: Segments, n_rows: int) -> list[RowBlock]:
    """The rows of all slides in blocks of at most `n_rows`; one block holds all where they fit."""
    total = len(slides.index)
    if total <= n_rows:
        return [RowBlock(slice(0, total), slides, slice(0, slides.count))]
    ends = list(accumulate(slides.sizes))
    blocks = []
    for start in range(0, total, n_rows):
        stop = min(start + n_rows, total)
        first, last = bisect_right(ends, start), bisect_right(ends, stop - 1)  # a GPU would be waited for to tell
        sizes = [min(stop, ends[i]) - max(start, ends[i] - slides.sizes[i]) for i in range(first, last + 1)]
        own = Segments(slides.index[start:stop] - first, tuple(sizes))
        blocks.append(RowBlock(slice(start, stop), own, slice(first, last + 1)))
    return blocks


class RowValues:
    """Values of all rows, which come block by block.

    Values without a gradient are copied to one tensor that is made with the first block. Left where they are, each
    would lie in the midst of memory that its block has freed, and keep the next block from fitting in there: 1,000,000
    patches took 7.5 GB in the paper form.

    Args:
        n_rows: of all blocks.
    """

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self._blocks: list[Tensor] = []
        self._together: Tensor | None = None

    def put(self, block: RowBlock, values: Tensor) -> Tensor:
        """Keep the values (n, ...) of the next block and return them, perhaps in another place."""
        if values.requires_grad:
            self._blocks.append(values)
            return values
        if self._together is None:
            self._together = values.new_empty(self.n_rows, *values.shape[1:])
        self._together[block.rows] = values
        return self._together[block.rows]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._blocks) or self._together is not None

    def all(self) -> Tensor:
        """The values of all rows, (N, ...); ValueError where none were put."""
        if self._blocks:
            return torch.cat(self._blocks)
        if self._together is None:
            raise ValueError("got no values, expected those of at least one block")
        return self._together


@contextmanager
def separate_casts() -> Iterator[None]:
    """Autocast casts a parameter anew for each block, in place of once for all.

    All blocks would share one 16-bit copy, at which autograd would sum their gradients in 16 bits: from 122 blocks, a
    slide of 1,000,000 patches, the released form's gradients were off by 1.4 % of their norm in place of 0.6 %, and a
    reducer's bias by 97 % in place of 6 %.
    """
    shared = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(shared)


@dataclass(frozen=True)
class Evaluation:
    """How the steps of a bag in blocks are evaluated.

    Attributes:
        recompute: compute what autograd needs of a step again in the backward pass, in place of keeping it.
        replay: do not hold embeddings between steps; compute them again, from the features, at each use.
    """

    recompute: bool
    replay: bool

    def run(self, step: Callable[[], Result]) -> Result:
        """The result of a step."""
        if not self.recompute:
            return step()
        with separate_casts():
            return checkpoint(step, use_reentrant=False)

    def hold(self, step: Callable[[], Result]) -> Callable[[], Result]:
        """The result of a step for later use."""
        if self.replay:
            return step
        result = self.run(step)
        return lambda: result
