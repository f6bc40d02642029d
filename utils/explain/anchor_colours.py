"""Colours of anchors on maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from utils.figures.palette import AREAS

OTHER = (0xC8, 0xC8, 0xC8)
_NAMED = len(AREAS)
_DARKEST, _LIGHTEST, _BLUE_YELLOW = 0.32, 0.90, 0.13  # of OKLab


@dataclass(frozen=True)
class AnchorColours:
    """What the anchors of a slide look like.

    Attributes:
        named: at most eight anchors, the most frequent first (of a tie the lower number).
        shares: of the slide's patches, of each of them.
        n_others: anchors with patches beyond these.
        table: (K, 3) uint8, the colour of every anchor.
    """

    named: tuple[int, ...]
    shares: tuple[float, ...]
    n_others: int
    table: np.ndarray

    def of(self, anchor: int) -> tuple[int, int, int]:
        """The colour of an anchor as red, green and blue, 0 to 255."""
        red, green, blue = self.table[anchor].tolist()
        return red, green, blue


def anchor_colours(assignment: np.ndarray, table: np.ndarray | None = None) -> AnchorColours:
    """The colours for a slide whose patches belong to these anchors, (M,).

    Without a table (K, 3) the eight most frequent anchors have colours that everybody can tell apart, and the others
    are grey.
    """
    counts = np.bincount(assignment)
    order = np.argsort(-counts, kind="stable")[: (counts > 0).sum()]
    named = order[:_NAMED]
    if table is None:
        table = np.tile(np.array(OTHER, dtype=np.uint8), (len(counts), 1))
        table[named] = [rgb(colour) for colour in AREAS[: len(named)]]
    shares = counts[named] / len(assignment)
    return AnchorColours(tuple(named.tolist()), tuple(shares.tolist()), len(order) - len(named), table)


def similar_colours(anchors: np.ndarray) -> np.ndarray:
    """(K, 3) uint8: similar colours for similar anchors (K, D), the same on every slide that shares the anchors.

    Lightness is the place of an anchor along the first principal component of the anchors, blue to yellow its place
    along the second. These two directions of colour are those that common colour-vision deficiencies leave intact.
    Colours are made in OKLab (Ottosson, A perceptual color space for image processing, 2020).
    """
    centred = np.asarray(anchors, dtype=np.float64) - np.mean(anchors, axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    components = [centred @ direction for direction in directions] + [np.zeros(len(centred))] * (2 - len(directions))
    lightness, yellowness = (_spread(component) for component in components)
    lab = np.zeros((len(centred), 3))
    lab[:, 0] = _DARKEST + (_LIGHTEST - _DARKEST) * lightness
    lab[:, 2] = _BLUE_YELLOW * (2 * yellowness - 1)
    return _srgb(lab)


def rgb(colour: str) -> tuple[int, int, int]:
    """`#RRGGBB` as three numbers.

    >>> rgb("#0072B2")
    (0, 114, 178)
    """
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _spread(values: np.ndarray) -> np.ndarray:
    """Values from 0 to 1, the outer tenth of them at the ends; turned round so that a component's sign is no matter."""
    if values[np.abs(values).argmax()] < 0:
        values = -values
    low, high = np.percentile(values, (5, 95))
    return np.clip((values - low) / (high - low), 0, 1) if high > low else np.full(len(values), 0.5)


def _srgb(lab: np.ndarray) -> np.ndarray:
    """OKLab (n, 3) as sRGB (n, 3) uint8; what lies outside is moved to the border."""
    to_cone = np.array(
        [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip((lab @ to_cone.T) ** 3 @ to_linear.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded * 255).round().astype(np.uint8)
