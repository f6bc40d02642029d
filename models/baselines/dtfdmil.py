"""DTFD-MIL: attention within pseudo-bags, then attention over them (Zhang et al., CVPR 2022), distillation AFS."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.attention_pool import GatedAttentionPool
from models.bag_model import BagInput, BagModel
from models.kernels.segment_ops import Segments
from models.output import BagOutput, CaseLogits

N_PSEUDO_BAGS = 5


class DTFDMIL(BagModel):
    """Two tiers of gated attention; a case is split into n = min(5, M) pseudo-bags that inherit its outcome.

    `h_m = ReLU(W_1 x_m + b_1)`
    tier 1, one for all pseudo-bags p: `e_p = sum_{m in p} a_m h_m`, `pseudo_p = W_2 e_p + b_2`
    tier 2: `z = sum_p t_p e_p`, `logits = W_3 z + b_3`

    "AFS" hands the whole aggregated feature e_p on to tier 2. In training the patches go to pseudo-bags at random, in
    evaluation patch i of a case goes to pseudo-bag i mod n, so that predictions repeat.

    Each tier is trained by its own loss: no gradient of the second one flows into e_p, as in the authors' code, whose
    second optimizer has the parameters of tier 2 alone.

    Args:
        dim_in: D, the width of the patch features.
        n_outputs: C.
        embed_dim: d; both attentions have d / 2.
        dropout: rate after the projection and of the branches of both attentions.
    """

    def __init__(self, *, dim_in: int, n_outputs: int, embed_dim: int = 512, dropout: float = 0.05) -> None:
        super().__init__(dim_in)
        self.projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.attention_pool = GatedAttentionPool(embed_dim, dropout, attention_dim=embed_dim // 2)
        self.classifier = nn.Linear(embed_dim, n_outputs)
        self.second_attention_pool = GatedAttentionPool(embed_dim, dropout, attention_dim=embed_dim // 2)
        self.second_classifier = nn.Linear(embed_dim, n_outputs)

    def aggregate(self, bags: BagInput) -> BagOutput:
        """Map bags to logits. Anchors and positions are unused.

        The attention of patch m in pseudo-bag p is a_m t_p, its weight in z.
        """
        cases = bags.cases
        patches = self.projector(bags.features())  # (N, d)
        pseudo_bag, case = assign_pseudo_bags(cases, at_random=self.training)  # (N,), (P,)

        distilled, within = self.attention_pool(patches, pseudo_bag, case.numel())  # (P, d), (N,)
        pooled, between = self.second_attention_pool(distilled.detach(), case, cases.count)  # (B, d), (P,)

        tier_1 = CaseLogits(self.classifier(distilled), case)
        tier_2 = CaseLogits(self.second_classifier(pooled), torch.arange(cases.count, device=patches.device))
        return BagOutput(tier_2.logits, within * between[pseudo_bag], supervised=(tier_1, tier_2))


def assign_pseudo_bags(cases: Segments, *, at_random: bool) -> tuple[Tensor, Tensor]:
    """Split each case of M patches into min(5, M) pseudo-bags, whose sizes differ by at most 1.

    Args:
        cases: where the patches of each case lie.
        at_random: assign by a random permutation of the case's patches (torch's global generator) instead of in turn.

    Returns:
        The pseudo-bag of each patch (N,) int64, in 0 .. P - 1, and the case of each pseudo-bag (P,) int64.
    """
    order = torch.randperm if at_random else torch.arange
    position = torch.cat([order(size, device=cases.index.device) for size in cases.sizes])  # (N,)
    pseudo_bags = cases.counts.clamp(max=N_PSEUDO_BAGS)  # (B,)
    n_pseudo_bags = sum(min(size, N_PSEUDO_BAGS) for size in cases.sizes)  # P
    first = pseudo_bags.cumsum(0) - pseudo_bags  # (B,)
    numbers = torch.arange(cases.count, device=first.device)
    case = numbers.repeat_interleave(pseudo_bags, output_size=n_pseudo_bags)  # (P,)
    return first[cases.index] + position % N_PSEUDO_BAGS, case
