"""CLAM-SB: attention pooling whose extremes train instance classifiers.

Lu et al., "Data-efficient and weakly supervised computational pathology on whole-slide images", Nature Biomedical
Engineering 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.attention_pool import GatedAttentionPool
from models.bag_model import BagInput, BagModel
from models.kernels.segment_ops import Segments
from models.output import BagOutput, InstanceLogits

K_SAMPLE = 8  # patches on each side, the number of the authors' experiments


class CLAMSB(BagModel):
    """Gated attention pooling with one attention branch, and an instance classifier for each class.

    `h_m = ReLU(W_1 x_m + b_1)`, `z = sum_m a_m h_m` with the attention a of `GatedAttentionPool`, `logits = W z + b`;
    for class c, `s_{m, c} = W_inst,c h_m + b_inst,c`, two scores (outside, inside) of the patches m that have the
    highest and the lowest attention. `models.baselines.instance_loss` has the loss on them.

    Deviation: a case with fewer than 8 patches gives all of them to both sides; the authors' code stops there.

    Args:
        dim_in: D, the width of the patch features.
        n_outputs: C.
        embed_dim: d; the attention has d / 2.
        dropout: rate after the projection and of both attention branches.
        instance_weight: weight of the instance loss in classification, from 0 to 1; the bag loss has the rest.
    """

    def __init__(
        self, *, dim_in: int, n_outputs: int, embed_dim: int = 512, dropout: float = 0.05, instance_weight: float = 0.3
    ) -> None:
        super().__init__(dim_in)
        if not 0 <= instance_weight <= 1:
            raise ValueError(f"got instance_weight {instance_weight}, expected a number from 0 to 1")
        self.instance_weight = instance_weight
        self.projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.attention_pool = GatedAttentionPool(embed_dim, dropout, attention_dim=embed_dim // 2)
        self.classifier = nn.Linear(embed_dim, n_outputs)
        self.instance_classifiers = nn.ModuleList(nn.Linear(embed_dim, 2) for _ in range(n_outputs))

    def aggregate(self, bags: BagInput) -> BagOutput:
        """Map bags to logits. Anchors and positions are unused.

        The attention is the softmax a over the patches of each case.
        """
        cases = bags.cases
        patches = self.projector(bags.features())  # (N, d)
        pooled, attention = self.attention_pool(patches, cases.index, cases.count)  # (B, d), (N,)
        instances = self._instances(patches, attention.detach(), cases)
        return BagOutput(self.classifier(pooled), attention, instances=instances)

    def _instances(self, patches: Tensor, attention: Tensor, cases: Segments) -> InstanceLogits:
        rows, attended = extremes(attention, cases, K_SAMPLE)  # (R,), (R,)
        chosen = patches[rows]  # (R, d)
        logits = torch.stack([classifier(chosen) for classifier in self.instance_classifiers], dim=1)  # (R, C, 2)
        return InstanceLogits(logits, cases.index[rows], attended, cases.count, self.instance_weight)


def extremes(attention: Tensor, cases: Segments, k_sample: int) -> tuple[Tensor, Tensor]:
    """The k most and the k least attended patches of each case, `k = min(k_sample, M)` of a case with M patches.

    Of equally attended patches the earlier ones are taken, so that a choice repeats.

    Args:
        attention: (N,).
        cases: where the patches of each case lie.
        k_sample: patches on each side.

    Returns:
        The rows (R,) int64, for each case its most attended ones (the highest first) and then its least attended ones
        (the lowest first); and whether each is of the most attended ones, (R,) bool.
    """
    rows, attended, start = [], [], 0
    for share in attention.split(cases.sizes):
        k = min(k_sample, len(share))
        for descending in (True, False):
            order = torch.argsort(share, descending=descending, stable=True)  # (M,)
            rows.append(start + order[:k])
            attended.append(torch.full_like(order[:k], descending, dtype=torch.bool))
        start += len(share)
    return torch.cat(rows), torch.cat(attended)
