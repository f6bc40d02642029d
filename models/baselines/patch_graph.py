"""The graph of a slide: each patch receives from its k nearest other patches, by position or by features."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.neighbors import KDTree
from torch import Tensor

from models.kernels.segment_ops import Segments

CHUNK_BYTES = 64 * 2**20  # of one chunk of the distance matrix
# Candidates beyond k, so that ties at the border of the k nearest are seen whole: a rectangular grid has at most 16
# patches at one distance, up to a distance of 18 steps.
N_SPARE = 16


def neighbour_edges(positions: Tensor, slides: Segments, k: int = 8) -> Tensor:
    """Edges from each patch's k nearest other patches of its slide (Euclidean distance) to the patch.

    A slide of M <= k patches has edges between all pairs in both directions; a slide of one patch has none. No edge
    leads to another slide, and none from a patch to itself, also where several patches have the same position.

    Ties: of equally distant patches the one with the smaller first coordinate is taken, then with the smaller second
    one, then the earlier row, so that on a grid the order of the patches does not matter. Rows of other than two
    columns tie only where patches are copies of each other; there the earlier row is taken. If more than `N_SPARE`
    patches too many are equally distant (copies), the search decides which of them are looked at, the same ones for
    the same slide. No gradient flows through the choice.

    Args:
        positions: (N, 2) coordinates, best left on the CPU, where they are searched; or (N, D) features.
        slides: where each slide's patches lie.
        k: neighbours of each patch, at least 1.

    Returns:
        (2, E) int64 on the device of `slides`: row 0 the neighbours (sources), row 1 the patches (targets), which
        ascend; the neighbours of a patch come nearest first.

    Raises:
        ValueError: for k < 1.

    Three patches in a row, one neighbour each; the one in the middle takes the one with the smaller coordinate:

    >>> positions = torch.tensor([[0, 0], [5, 0], [10, 0]])
    >>> neighbour_edges(positions, Segments.from_index(torch.tensor([0, 0, 0]), 1), k=1).tolist()
    [[1, 0, 1], [0, 1, 2]]
    """
    if k < 1:
        raise ValueError(f"got k = {k} neighbours, expected 1 or more")
    edges, start = [], 0
    # Half precision would choose other neighbours than the features have.
    with torch.no_grad(), torch.autocast(positions.device.type, enabled=False):
        for rows in positions.split(slides.sizes):
            nearest = _nearest_others(rows, k)  # (M, min(k, M - 1))
            target = torch.arange(len(rows), device=nearest.device).unsqueeze(1).expand_as(nearest)
            edges.append(start + torch.stack([nearest.flatten(), target.flatten()]))  # (2, M * min(k, M - 1))
            start += len(rows)
    return torch.cat(edges, dim=1).to(slides.index.device, non_blocking=True)


def _nearest_others(positions: Tensor, k: int) -> Tensor:
    """The k nearest other rows of each of the M rows, nearest first: (M, min(k, M - 1)) int64."""
    if len(positions) < 2:
        return torch.empty(len(positions), 0, dtype=torch.int64, device=positions.device)
    if positions.size(1) == 2:
        return _nearest_in_plane(positions, k)
    return _nearest_in_space(positions, k)


def _nearest_in_plane(positions: Tensor, k: int) -> Tensor:
    """By a k-d tree, on the CPU in float64.

    20,000 patches of a grid, 25 candidates, one thread: the tree takes 0.10 s; scipy's cKDTree, which would be one more
    dependency, 0.07 s.
    """
    points = positions.double().cpu().numpy()
    order = np.lexsort((points[:, 1], points[:, 0]))  # from here on the earlier row is the one that ties go to
    points = points[order]
    found = KDTree(points).query(points, k=min(k + 1 + N_SPARE, len(points)), return_distance=False)
    nearest = _first_k(torch.from_numpy(points), torch.arange(len(points)), torch.from_numpy(found), k)
    original = torch.from_numpy(order)
    unsorted = torch.empty_like(nearest)
    unsorted[original] = original[nearest]
    return unsorted


def _nearest_in_space(positions: Tensor, k: int) -> Tensor:
    """By all distances, `|x|^2 + |y|^2 - 2 x . y`, a chunk of rows at a time, in float32 or wider.

    5,000 patches of 768 features, one thread: 1.3 s; all distances as `|x - y|` take 18 s.
    """
    x = positions.to(torch.promote_types(positions.dtype, torch.float32))
    centred = x - x.mean(dim=0)  # the same distances, of which the products cancel less
    squares = centred.square().sum(dim=1)  # (M,)
    nearest = []
    for rows in torch.arange(len(x), device=x.device).split(max(1, CHUNK_BYTES // (len(x) * x.element_size()))):
        # |x|^2 is left out: it is the same for all neighbours of a row.
        distances = torch.addmm(squares, centred[rows], centred.transpose(0, 1), alpha=-2)  # (R, M)
        found = distances.topk(min(k + 1 + N_SPARE, len(x)), dim=1, largest=False).indices
        nearest.append(_first_k(x, rows, found, k))
    return torch.cat(nearest)


def _first_k(x: Tensor, rows: Tensor, candidates: Tensor, k: int) -> Tensor:
    """The first k of each row's candidates by `|x_row - x_candidate|^2` and then by number, without the row itself.

    Args:
        x: (M, D).
        rows: (R,) int64.
        candidates: (R, c) int64, more than min(k, M - 1) of them.
        k: how many to take.

    Returns:
        (R, min(k, M - 1)) int64.
    """
    candidates = candidates.sort(dim=1).values
    # One candidate of every row at a time: (R, D) in memory, not (R, c, D).
    distances = torch.stack([(x[rows] - x[column]).square().sum(dim=1) for column in candidates.unbind(1)], dim=1)
    distances.masked_fill_(candidates == rows.unsqueeze(1), torch.inf)
    order = distances.argsort(dim=1, stable=True)[:, : min(k, len(x) - 1)]
    return candidates.gather(1, order)
