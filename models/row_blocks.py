"""Large bags in blocks of rows, so that memory does not grow with the number of patches.

Prediction goes through a bag block by block and keeps no embedding: what is needed again is computed again from the
features (replayed). Training does so above `RECOMPUTE_ABOVE` rows: a block's embeddings are computed again in the
backward pass (`torch.utils.checkpoint`, which repeats dropout's draws), a third more time for memory of one block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from models.segment_ops import Segments

BLOCK_ROWS = 8192
# A training step keeps 49 KiB a patch in float32 with d = 512 (measured): 2.3 GiB at this size.
RECOMPUTE_ABOVE = 50_000

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
    ends = torch.tensor(slides.sizes).cumsum(dim=0).tolist()
    blocks = []
    for start in range(0, total, n_rows):
        stop = min(start + n_rows, total)
        first, last = int(slides.index[start]), int(slides.index[stop - 1])
        sizes = [min(stop, ends[i]) - max(start, ends[i] - slides.sizes[i]) for i in range(first, last + 1)]
        own = Segments(slides.index[start:stop] - first, tuple(sizes))
        blocks.append(RowBlock(slice(start, stop), own, slice(first, last + 1)))
    return blocks


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
        return checkpoint(step, use_reentrant=False) if self.recompute else step()

    def hold(self, step: Callable[[], Result]) -> Callable[[], Result]:
        """The result of a step for later use."""
        if self.replay:
            return step
        result = self.run(step)
        return lambda: result
