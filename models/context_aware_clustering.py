"""One stage of MiCo: Cluster Route, then Cluster Reducer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from models.cluster_route import Choice, ClusterRoute, Routed, choose_anchors, move_anchors
from models.kernels.hard_assignment import chosen_sums
from models.kernels.row_blocks import Evaluation, RowBlock, RowValues
from models.kernels.similarity import wide

BlockRows = Callable[[], Routed]


@dataclass(frozen=True)
class ContextAwareClustering:
    """A context-aware clustering stage: patches take up context from K_l anchors, of which K_l / 2 go on."""

    route: ClusterRoute
    reducer: nn.Module

    def __call__(
        self,
        patches: Sequence[BlockRows],
        anchors: Tensor,
        blocks: Sequence[RowBlock],
        n_slides: int,
        evaluation: Evaluation,
    ) -> tuple[list[BlockRows], Tensor]:
        """Send the patches of all blocks through the stage.

        Args:
            patches: each gives the embeddings of a block, (n, d).
            anchors: (K_l, d), the same for every slide, or (n_slides, K_l, d).
            blocks: the rows and slides of each block.
            n_slides: slides in all.
            evaluation: what is held in memory.

        Returns:
            The blocks after the stage, and the anchors (..., K_l / 2, d).
        """
        choices: Sequence[Choice | None] = [None] * len(blocks)
        if self.route.moves_anchors:
            choices, anchors = self._move(patches, anchors, blocks, n_slides, evaluation)

        def routed(rows: BlockRows, block: RowBlock, choice: Choice | None) -> Routed:
            return self.route(rows(), block.own(anchors), block.slides, choice)

        held = [
            evaluation.hold(partial(routed, rows, block, choice))
            for rows, block, choice in zip(patches, blocks, choices, strict=True)
        ]
        return held, self.reducer(anchors)

    def _move(
        self,
        patches: Sequence[BlockRows],
        anchors: Tensor,
        blocks: Sequence[RowBlock],
        n_slides: int,
        evaluation: Evaluation,
    ) -> tuple[list[Choice], Tensor]:
        """The choices of all patches (Eqs. 1 and 2), and the anchors (n_slides, K_l, d) that they move (Eq. 3)."""
        n_anchors, width = anchors.shape[-2:]

        def choose(rows: BlockRows, block: RowBlock) -> tuple[Choice, Tensor, Tensor]:
            x = rows().patches
            choice = choose_anchors(x, block.own(anchors), block.slides)
            return choice, *chosen_sums(*choice, x, n_anchors, block.slides)

        choices, all_chosen = [], RowValues(blocks[-1].rows.stop)
        sums = wide(anchors).new_zeros(n_slides, n_anchors, width)
        counts = torch.zeros(n_slides, n_anchors, 1, dtype=torch.long, device=anchors.device)
        for rows, block in zip(patches, blocks, strict=True):
            choice, block_sums, block_counts = evaluation.run(partial(choose, rows, block))
            choices.append(choice._replace(chosen=all_chosen.put(block, choice.chosen)))
            touched = torch.arange(n_slides, device=anchors.device)[block.slide_range]
            sums = sums.index_add_(0, touched, block_sums)
            counts = counts.index_add_(0, touched, block_counts)
        return choices, move_anchors(sums, counts, anchors)
