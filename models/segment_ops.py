"""Operations on ragged bags: rows of several slides one after the other, without padding.

Sums and softmax over cases are torch-geometric's `scatter` and `softmax`; what it has no operator for is a matrix
product of each slide's rows with that slide's own matrix, which is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Segments:
    """Where the rows of each slide, or of each case, lie in a ragged tensor of N rows.

    Attributes:
        index: (N,) int64, the slide of each row, non-decreasing.
        sizes: rows of each slide, n_slides numbers that sum to N; 0 is allowed.
    """

    index: Tensor
    sizes: tuple[int, ...]

    @classmethod
    def from_index(cls, index: Tensor, n_slides: int) -> Segments:
        """Count the rows of each slide.

        Raises:
            ValueError: if the index decreases somewhere or leaves 0 .. n_slides - 1.
        """
        if index.numel() and (int(index[0]) < 0 or int(index[-1]) >= n_slides or bool((index.diff() < 0).any())):
            raise ValueError(f"got a slide_index that is not non-decreasing within 0 .. {n_slides - 1}")
        sizes = torch.bincount(index, minlength=n_slides)  # (n_slides,)
        return cls(index, tuple(sizes.tolist()))

    def by_case(self, case_index: Tensor) -> Segments:
        """The same rows with a segment for each case, which has all rows of all its slides.

        Args:
            case_index: (n_slides,) int64, the case of each slide, 0 .. B - 1, non-decreasing.

        Raises:
            ValueError: for a case without rows, about which there is nothing to say.
        """
        cases = Segments.from_index(case_index[self.index], int(case_index[-1]) + 1)
        if 0 in cases.sizes:
            raise ValueError(f"got no patch of case {cases.sizes.index(0)} of the batch, expected at least one")
        return cases

    @property
    def count(self) -> int:
        """The number of slides."""
        return len(self.sizes)

    def map_rows(self, function: Callable[[Tensor, Tensor], Tensor], rows: Tensor, anchors: Tensor) -> Tensor:
        """Apply `function(rows of a slide, anchors of that slide)` to each slide; the results' rows are concatenated.

        Anchors of two dimensions are the same for every slide: then one call serves all rows.

        Args:
            function: maps (M, a) and (K, b) to (M, c).
            rows: (N, a).
            anchors: (K, b), or (n_slides, K, b).
        """
        if anchors.dim() == 2:
            return function(rows, anchors)  # (N, c)
        return torch.cat([function(r, a) for r, a in zip(rows.split(self.sizes), anchors, strict=True)])  # (N, c)

    def weighted_sums(self, weights: Tensor, rows: Tensor) -> Tensor:
        """`out[i] = weights_i^T rows_i` for the rows of each slide i.

        Args:
            weights: (N, K).
            rows: (N, d).

        Returns:
            (n_slides, K, d); zeros for a slide without rows.
        """
        pairs = zip(weights.split(self.sizes), rows.split(self.sizes), strict=True)
        return torch.stack([w.transpose(0, 1) @ r for w, r in pairs])  # (n_slides, K, d)
