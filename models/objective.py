"""The training objective: the loss of the task on the logits that a model is trained by, and CLAM's instance loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from models.baselines.instance_loss import clam_instance_loss
from models.output import BagOutput

Target = Mapping[str, Tensor]


def training_objective(out: BagOutput, target: Target, bag_loss: Callable[[Tensor, Target], Tensor]) -> Tensor:
    """The scalar that training lowers.

    `sum_g bag_loss(supervised_g)` where a model is trained by several groups of logits (DSMIL's two streams, DTFD-MIL's
    two tiers), else `bag_loss(logits)`. With CLAM's instance logits and class labels, for instance weight w,
    `(1 - w) bag_loss + w instance_loss`; the instance loss is not defined for survival, where the weight has no effect.

    Args:
        out: of a batch of B cases.
        target: (B,) tensors, see `datasets.bags.outcomes_of`.
        bag_loss: maps logits (R, C) and the targets of these R rows to their mean loss.
    """
    if out.supervised:
        groups = [
            bag_loss(group.logits, {name: values[group.case] for name, values in target.items()})
            for group in out.supervised
        ]
        loss = sum(groups[1:], start=groups[0])
    else:
        loss = bag_loss(out.logits, target)
    if out.instances is None or "label" not in target:
        return loss
    weight = out.instances.weight
    return (1 - weight) * loss + weight * clam_instance_loss(out.instances, target["label"])
