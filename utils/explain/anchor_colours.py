"""Colours of a slide's most frequent anchors; no palette has 64 that everybody can tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from utils.plotting import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION

Colour = tuple[int, int, int]
OTHER: Colour = (0xC8, 0xC8, 0xC8)
# Okabe and Ito's eight, see utils.plotting; their yellow is good for areas.
_COLOURS = (BLUE, VERMILION, GREEN, "#F0E442", PURPLE, SKY, ORANGE, BLACK)


@dataclass(frozen=True)
class AnchorColours:
    """The most frequent anchors of a slide and what they look like.

    Attributes:
        anchors: at most eight anchors, the most frequent first (of a tie the lower number).
        shares: of the slide's patches, of each of them.
        n_others: anchors with patches beyond these.
    """

    anchors: tuple[int, ...]
    shares: tuple[float, ...]
    n_others: int

    def of(self, anchor: int) -> Colour:
        """The colour of an anchor, grey beyond the most frequent."""
        return rgb(_COLOURS[self.anchors.index(anchor)]) if anchor in self.anchors else OTHER

    def of_all(self, assignment: np.ndarray) -> np.ndarray:
        """(M, 3) uint8, the colour of each patch's anchor (M,)."""
        table = np.tile(np.array(OTHER, dtype=np.uint8), (int(assignment.max()) + 1, 1))
        for anchor in self.anchors:
            table[anchor] = self.of(anchor)
        return table[assignment]


def anchor_colours(assignment: np.ndarray) -> AnchorColours:
    """The colours for a slide whose patches belong to these anchors, (M,)."""
    counts = np.bincount(assignment)
    order = np.argsort(-counts, kind="stable")[: (counts > 0).sum()]
    top = order[: len(_COLOURS)]
    shares = counts[top] / len(assignment)
    return AnchorColours(tuple(top.tolist()), tuple(shares.tolist()), len(order) - len(top))


def rgb(colour: str) -> Colour:
    """`#RRGGBB` as three numbers.

    >>> rgb("#0072B2")
    (0, 114, 178)
    """
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
