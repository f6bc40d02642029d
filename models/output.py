"""What every model returns; `models.bag_model` describes what it takes."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class CaseLogits(NamedTuple):
    """Logits (R, n_outputs), and the case (R,) int64 that each row is about."""

    logits: Tensor
    case: Tensor


class InstanceLogits(NamedTuple):
    """What CLAM's instance classifiers say of the most and least attended patches of each case.

    Attributes:
        logits: (R, n_outputs, 2), per class: outside and inside of the class.
        case: (R,) int64.
        attended: (R,) bool, whether the patch is among the most attended ones of its case.
        n_cases: B.
        weight: of the instance loss in the training objective, from 0 to 1; 0.3 in CLAM.
    """

    logits: Tensor
    case: Tensor
    attended: Tensor
    n_cases: int
    weight: float = 0.3


class BagOutput(NamedTuple):
    """The outputs of a model for a batch of B cases with N patches in all.

    Attributes:
        logits: (B, n_outputs), the prediction.
        attention: (N,), each patch's share of its case's prediction, at least 0; each model says how it is defined.
            The shares of a case sum to 1, in MiCo together with those of the remaining anchors.
        assignment: (N,) int64, the anchor that each patch chose in the first stage; None without anchors.
        supervised: logits that are trained in the place of `logits`, each group by its mean loss; empty in most models.
        instances: for CLAM's instance loss; None for the others.
        stage_assignment: (N, L) int64, the anchor that each patch chose in each stage; None without anchors. Those of a
            later stage are mixtures that the Cluster Reducer made of those before.
    """

    logits: Tensor
    attention: Tensor
    assignment: Tensor | None = None
    supervised: tuple[CaseLogits, ...] = ()
    instances: InstanceLogits | None = None
    stage_assignment: Tensor | None = None
