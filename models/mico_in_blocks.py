"""MiCo on a bag that is too large for memory: the steps of `MiCo.aggregate`, a block of patches at a time.

Cluster Route works patch by patch once the anchors are known, and a softmax can be pooled in parts; what needs all
patches is Eq. 3, whose sums over the patches of a slide are added up block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from models.attention_pool import Pooled, attention_of, merge_pooled, no_rows, pool_rows
from models.bag_model import BagInput
from models.cluster_reducer import remaining_anchors
from models.cluster_route import Assignment, PaperRoute, ReleasedRoute, chosen_sums, move_anchors
from models.context_aware_clustering import ContextAwareClustering
from models.kernels.row_blocks import Evaluation, RowBlock, RowValues, blocks_of
from models.kernels.similarity import wide
from models.output import BagOutput


class Steps(NamedTuple):
    """The steps of `MiCo.aggregate`.

    Attributes:
        project: rows of the bag to embeddings, (n, d).
        anchors: projected anchors, (K, d) or (n_slides, K, d).
        stages: the context-aware clustering stages.
        normalise: embeddings (n, d) to the rows z (n, d) that are pooled.
        score: z (n, d) to attention scores (n,).
        classify: pooled rows (B, d) to logits (B, C).
        block_rows: rows of a block.
        hold_embeddings: keep the embeddings of all blocks between two stages, in place of computing them again.
    """

    project: Callable[[slice], Tensor]
    anchors: Tensor
    stages: Sequence[ContextAwareClustering]
    normalise: Callable[[Tensor], Tensor]
    score: Callable[[Tensor], Tensor]
    classify: Callable[[Tensor], Tensor]
    block_rows: int
    hold_embeddings: bool


class Routed(NamedTuple):
    """The patches of a block on their way: (n, d), and the anchors (n,) that they chose in each stage so far."""

    patches: Tensor
    chosen: tuple[Tensor, ...] = ()


BlockRows = Callable[[], Routed]


def aggregate_in_blocks(bags: BagInput, steps: Steps) -> BagOutput:
    """The same as `MiCo.aggregate`, in memory that hardly grows with the number of patches.

    Of every patch its score and its choices are kept, and its embedding only with `hold_embeddings`; otherwise
    embeddings are computed again at each use. In training the backward pass computes each block again.
    """
    evaluation = Evaluation(recompute=torch.is_grad_enabled(), replay=not steps.hold_embeddings)
    blocks = blocks_of(bags.slides, steps.block_rows)
    patches: list[BlockRows] = [
        evaluation.hold(partial(lambda block: Routed(steps.project(block.rows)), block)) for block in blocks
    ]
    anchors = wide(steps.anchors)  # widened once, so that the gradients of all blocks are summed in 32 bits
    for route, reducer in steps.stages:
        assignments: Sequence[Assignment | None] = [None] * len(blocks)
        if route.moves_anchors:
            assignments, anchors = _choose_and_move(route, patches, anchors, blocks, bags.n_slides, evaluation)
        patches = [
            evaluation.hold(partial(_routed, route, rows, block, anchors, assignment))
            for rows, block, assignment in zip(patches, blocks, assignments, strict=True)
        ]
        anchors = wide(reducer(anchors))
    return _pool(bags, steps, patches, anchors, blocks, evaluation)


def _choose_and_move(
    route: PaperRoute | ReleasedRoute,
    patches: Sequence[BlockRows],
    anchors: Tensor,
    blocks: Sequence[RowBlock],
    n_slides: int,
    evaluation: Evaluation,
) -> tuple[list[Assignment], Tensor]:
    """The assignments of all patches (Eqs. 1, 2), and the anchors (n_slides, K_l, d) that they move (Eq. 3)."""
    n_anchors, width = anchors.shape[-2:]

    def choose(rows: BlockRows, block: RowBlock) -> tuple[Assignment, Tensor, Tensor]:
        x = rows().patches
        assignment = route.choose(x, block.own(anchors), block.slides)
        if assignment is None:
            raise ValueError("got no assignment from a route that moves anchors, expected one")
        return assignment, *chosen_sums(assignment, x, n_anchors, block.slides)

    assignments, all_chosen = [], RowValues(blocks[-1].rows.stop)
    sums = wide(anchors).new_zeros(n_slides, n_anchors, width)
    counts = sums.new_zeros(n_slides, n_anchors, 1)
    for rows, block in zip(patches, blocks, strict=True):
        assignment, block_sums, block_counts = evaluation.run(partial(choose, rows, block))
        assignments.append(assignment._replace(chosen=all_chosen.put(block, assignment.chosen)))
        touched = torch.arange(n_slides, device=anchors.device)[block.slide_range]
        sums = sums.index_add_(0, touched, block_sums)
        counts = counts.index_add_(0, touched, block_counts)
    return assignments, move_anchors(sums, counts, anchors)


def _routed(
    route: PaperRoute | ReleasedRoute,
    rows: BlockRows,
    block: RowBlock,
    anchors: Tensor,
    assignment: Assignment | None,
) -> Routed:
    """A block after Cluster Route (Eq. 4); patches choose here where their choice has not moved anchors before."""
    x, chosen = rows()
    own = block.own(anchors)
    if assignment is None:
        assignment = route.choose(x, own, block.slides)
    patches = route(x, assignment, own, block.slides)
    return Routed(patches, chosen if assignment is None else (*chosen, assignment.chosen))


class _PooledBlock(NamedTuple):
    """A block of n patches after gated attention: pooled by case, its scores (n,), and the chosen anchors (n, L)."""

    pooled: Pooled
    score: Tensor
    chosen: Tensor | None


def _pool(
    bags: BagInput,
    steps: Steps,
    patches: Sequence[BlockRows],
    anchors: Tensor,
    blocks: Sequence[RowBlock],
    evaluation: Evaluation,
) -> BagOutput:
    """Gated attention over the patches of all blocks and the remaining anchors, which go with the last block."""
    case_of_row, remaining = bags.cases.index, remaining_anchors(anchors, bags.case_index)

    def pool(rows: BlockRows, block: RowBlock, is_last: bool) -> _PooledBlock:
        x, chosen = rows()
        case = case_of_row[block.rows]
        if is_last:
            x = torch.cat([x, remaining[0].to(x.dtype)])  # (n + n_slides K / 2^L, d)
            case = torch.cat([case, remaining[1]])
        z = steps.normalise(x)
        score = steps.score(z)
        stages = torch.stack(chosen, dim=1) if chosen else None  # (n, L)
        return _PooledBlock(pool_rows(z, score, case, bags.n_cases), score[: len(case_of_row[block.rows])], stages)

    scores, chosen = RowValues(len(case_of_row)), RowValues(len(case_of_row))
    pooled = no_rows(bags.n_cases, anchors.size(-1), wide(anchors))
    for rows, block in zip(patches, blocks, strict=True):
        part = evaluation.run(partial(pool, rows, block, block is blocks[-1]))
        pooled = merge_pooled([pooled, part.pooled])
        scores.put(block, part.score)
        if part.chosen is not None:
            chosen.put(block, part.chosen)
    logits = steps.classify(pooled.sums / pooled.totals.unsqueeze(1))  # (B, C)
    stages = chosen.all() if chosen else None  # (N, L)
    attention = attention_of(scores.all(), case_of_row, pooled)  # (N,)
    return BagOutput(logits, attention, None if stages is None else stages[:, 0], stage_assignment=stages)
