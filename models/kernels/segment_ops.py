"""Operations on ragged bags: rows of several slides one after the other, without padding.

Sums over rows are torch's `index_add`; what neither torch nor torch-geometric has for every precision is a matrix
product of each slide's rows with that slide's own matrix, which is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

# Slides of at most so many rows are padded to one batched product.
PADDED_ROWS = 512


@dataclass(frozen=True)
class Segments:
    """Where the rows of each slide, or of each case, lie in a ragged tensor of N rows.

    Attributes:
        index: (N,) int64, the slide of each row, non-decreasing; on the device of the rows.
        sizes: rows of each slide, n_slides numbers that sum to N; 0 is allowed.
    """

    index: Tensor
    sizes: tuple[int, ...]

    @classmethod
    def from_index(cls, index: Tensor, n_slides: int, device: torch.device | None = None) -> Segments:
        """Count the rows of each slide, on the CPU: for an index that is there already no GPU is waited for.

        Args:
            index: (N,) int64, on any device.
            n_slides: how many slides there are.
            device: of the rows; None: that of the index.

        Raises:
            ValueError: if the index decreases somewhere or leaves 0 .. n_slides - 1.
        """
        device = index.device if device is None else device
        index = index.cpu()
        if index.numel() and (int(index[0]) < 0 or int(index[-1]) >= n_slides or bool((index.diff() < 0).any())):
            raise ValueError(f"got a slide_index that is not non-decreasing within 0 .. {n_slides - 1}")
        sizes = torch.bincount(index, minlength=n_slides)  # (n_slides,)
        return cls(index.to(device, non_blocking=True), tuple(sizes.tolist()))

    def by_case(self, case_index: Tensor) -> Segments:
        """The same rows with a segment for each case, which has all rows of all its slides.

        Args:
            case_index: (n_slides,) int64 on the CPU, the case of each slide, 0 .. B - 1, non-decreasing, each present.
        """
        cases: list[int] = case_index.tolist()
        if cases == list(range(self.count)):  # a slide each
            return self
        sizes = [0] * (cases[-1] + 1)
        for case, size in zip(cases, self.sizes, strict=True):
            sizes[case] += size
        return Segments(case_index.to(self.index.device, non_blocking=True)[self.index], tuple(sizes))

    @property
    def count(self) -> int:
        """The number of slides."""
        return len(self.sizes)

    @cached_property
    def counts(self) -> Tensor:
        """`sizes` as a tensor (n_slides,) int64 on the device of the rows."""
        return self._sent(torch.tensor(self.sizes))

    @cached_property
    def starts(self) -> Tensor:
        """The first row of each slide, (n_slides,) int64, on the device of the rows."""
        sizes = torch.tensor(self.sizes)
        return self._sent(sizes.cumsum(0) - sizes)

    def _sent(self, numbers: Tensor) -> Tensor:
        return numbers.to(self.index.device, non_blocking=True)

    def products(self, rows: Tensor, matrices: Tensor) -> Tensor:
        """`out_m = row_m B_i` for the rows m of each slide i.

        Args:
            rows: (N, a).
            matrices: (a, b), the same for every slide, or (n_slides, a, b).

        Returns:
            (N, b).
        """
        if matrices.dim() == 2:
            return rows @ matrices
        if self._pads:
            return torch.bmm(self._padded(rows), matrices).flatten(0, 1).index_select(0, self._slots)
        return torch.cat([r @ m for r, m in zip(rows.split(self.sizes), matrices, strict=True)])

    def weighted_sums(self, weights: Tensor, rows: Tensor) -> Tensor:
        """`out[i] = weights_i^T rows_i` for the rows of each slide i.

        Args:
            weights: (N, K).
            rows: (N, d).

        Returns:
            (n_slides, K, d); zeros for a slide without rows.
        """
        if self._pads:
            return torch.bmm(self._padded(weights).transpose(1, 2), self._padded(rows))
        pairs = zip(weights.split(self.sizes), rows.split(self.sizes), strict=True)
        return torch.stack([w.transpose(0, 1) @ r for w, r in pairs])  # (n_slides, K, d)

    @cached_property
    def _pads(self) -> bool:
        """Whether one padded product is faster than one for each slide."""
        longest = max(self.sizes)
        return self.count > 1 and 0 < longest <= PADDED_ROWS and longest * self.count <= 4 * sum(self.sizes)

    @cached_property
    def _slots(self) -> Tensor:
        """(N,) int64: where each row lies when every slide is padded to the longest."""
        device = self.index.device
        offsets = torch.arange(self.count, device=device) * max(self.sizes) - self.starts  # (n_slides,)
        return torch.arange(len(self.index), device=device) + offsets[self.index]

    def _padded(self, rows: Tensor) -> Tensor:
        """(N, a) to (n_slides, longest, a) with zeros behind."""
        longest = max(self.sizes)
        padded = rows.new_zeros(self.count * longest, rows.size(1)).index_copy(0, self._slots, rows)
        return padded.view(self.count, longest, rows.size(1))
