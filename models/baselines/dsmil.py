"""DSMIL: a max-pooling stream and a stream of attention to its choice (Li, Li and Eliceiri, CVPR 2021)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch_geometric.utils import softmax

from models.bag_model import BagInput, BagModel
from models.kernels.segment_ops import Segments
from models.kernels.similarity import wide
from models.output import BagOutput, CaseLogits

QUERY_DIM = 128


class DSMIL(BagModel):
    """Two streams over the patches h_m of a case, which are trained each and predict by their mean.

    `h_m = ReLU(W_1 x_m + b_1)`
    `score_{m, c} = w_c . h_m + b_c`, `critical(c) = argmax_m score_{m, c}`, `max_c = score_{critical(c), c}`
    `q_m = tanh(W_q2 ReLU(W_q1 h_m + b_q1) + b_q2)`, `v_m = ReLU(W_v h_m + b_v)`
    `A_{m, c} = softmax_m(q_m . q_critical(c) / sqrt(128))`, `B_c = sum_m A_{m, c} v_m`
    `bag_c = sum_{c', i} W_{c, c', i} B_{c', i} + b_c`
    `logits = (max + bag) / 2`

    Deviations: the paper works on the features as they come, here they are first projected to d as in the other models.
    The paper averages the scores of the streams, here as logits and not as the probabilities of the authors' code, so
    that the outputs may be classes or hazards.

    Args:
        dim_in: D, the width of the patch features.
        n_outputs: C.
        embed_dim: d.
        dropout: rate after the projection and before W_v.
    """

    def __init__(self, *, dim_in: int, n_outputs: int, embed_dim: int = 512, dropout: float = 0.05) -> None:
        super().__init__(dim_in)
        self.projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.instance_classifier = nn.Linear(embed_dim, n_outputs)
        self.query = nn.Sequential(
            nn.Linear(embed_dim, QUERY_DIM), nn.ReLU(), nn.Linear(QUERY_DIM, QUERY_DIM), nn.Tanh()
        )
        self.value = nn.Sequential(nn.Dropout(dropout), nn.Linear(embed_dim, embed_dim), nn.ReLU())
        self.bag_classifier = nn.Conv1d(n_outputs, n_outputs, kernel_size=embed_dim)

    def aggregate(self, bags: BagInput) -> BagOutput:
        """Map bags to logits. Anchors and positions are unused.

        The attention is the mean of A over the classes. Of equal scores the first patch is critical.
        """
        cases = bags.cases
        patches = self.projector(bags.features())  # (N, d)

        scores = self.instance_classifier(patches)  # (N, C)
        critical = critical_patches(scores, cases)  # (B, C)
        max_logits = scores.gather(0, critical)  # (B, C)

        attention = self._attention(self.query(patches), critical, cases)  # (N, C)
        embeddings = _sums(attention, self.value(patches), cases)  # (B, C, d)
        bag_logits = self.bag_classifier(embeddings).squeeze(2)  # (B, C)

        case = torch.arange(cases.count, device=patches.device)
        streams = CaseLogits(max_logits, case), CaseLogits(bag_logits, case)
        return BagOutput((max_logits + bag_logits) / 2, attention.mean(dim=1), supervised=streams)

    def _attention(self, queries: Tensor, critical: Tensor, cases: Segments) -> Tensor:
        """`softmax_m(q_m . q_critical(c) / sqrt(128))` in float32 or wider; (N, 128) and (B, C) to (N, C)."""
        similarity = cases.products(queries, queries[critical].transpose(1, 2))  # (N, C)
        return softmax(wide(similarity) / math.sqrt(QUERY_DIM), cases.index, num_nodes=cases.count)


def critical_patches(scores: Tensor, cases: Segments) -> Tensor:
    """The row of the highest score of each class among the patches of each case; (N, C) to (B, C) int64."""
    within = torch.stack([rows.argmax(dim=0) for rows in scores.split(cases.sizes)])  # (B, C)
    return within + cases.starts.unsqueeze(1)


def _sums(weights: Tensor, rows: Tensor, cases: Segments) -> Tensor:
    """`Segments.weighted_sums` in the precision of the weights: autocast would round the products to 16 bits."""
    with torch.autocast(rows.device.type, enabled=False):
        return cases.weighted_sums(weights, rows.to(weights.dtype))
