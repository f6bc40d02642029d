"""The colours of all figures and of the report: the one place that has them.

Those of Okabe and Ito (Color Universal Design, 2008), which every common colour-vision deficiency leaves apart. Their
yellow is for areas only: it is too pale for a line on white. Grey takes its place.
"""

from __future__ import annotations

BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#6B6B6B"
YELLOW = "#F0E442"

# Of series 0, 1, ...: the same fold, class or half has the same colour in a PNG and in the report.
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)
# The same series on the report's dark paper: brighter, so that they stand out from it.
SERIES_ON_DARK = ("#4AA8E0", "#FF8A3D", "#2CC59B", "#E59AC4", "#F2B632", "#9AD6F7", "#FFFFFF", "#A6A6A6")
AREAS = (BLUE, VERMILION, GREEN, YELLOW, PURPLE, SKY, ORANGE, BLACK)
