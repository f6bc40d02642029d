"""What all figures share: line styles, panel grids, titles, legends and the file. No pyplot: nothing is global.

Names of classes, data sets and runs are drawn as they stand: `$` begins no formula, and a `_` in front hides nothing.
"""

from __future__ import annotations

import logging
import re
import textwrap
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.text import Text

from utils.figures.palette import SERIES
from utils.files.atomic import atomic_path

_DASHES = ("-", "--", "-.", ":")
_DPI = 120
_UNNAMED = re.compile(r"_child\d+|_nolegend_")  # what matplotlib calls a curve without a label, and we do
_MAX_PIXELS = 1_500_000  # a page of ten folds stays below about 200 KB

_log = logging.getLogger(__name__)


def line_style(index: int) -> dict[str, Any]:
    """Colour and dashes of curve `index`; the first 32 differ."""
    return {"color": SERIES[index % len(SERIES)], "linestyle": _DASHES[index // len(SERIES) % len(_DASHES)]}


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of `width` by `height` inches whose title is wrapped to its width."""
    dpi = min(_DPI, (_MAX_PIXELS / (width * height)) ** 0.5)
    engine = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(width, height), dpi=dpi, layout=engine)
    FigureCanvasAgg(figure)
    characters = max(20, int(width * 11))  # an 11 point letter is about 1/11 inch wide
    figure.suptitle("\n".join(textwrap.fill(line, characters) for line in title.split("\n")), fontsize=11)
    return figure


def panels(n_panels: int, title: str, *, size: float = 3.6) -> tuple[Figure, list[Axes]]:
    """A figure with one square-ish panel of `size` inches each, up to three beside each other (four: two by two)."""
    columns = 2 if n_panels == 4 else min(3, n_panels)
    rows = -(-n_panels // columns)
    figure = new_figure(max(size * columns, 5.0), size * rows + 0.6, title)
    axes = [figure.add_subplot(rows, columns, index + 1) for index in range(n_panels)]
    return figure, axes


def add_legend(axes: Axes, location: str, n_panels: int) -> None:
    """The legend of one panel; smaller letters where several panels share the figure."""
    axes.legend(*legend_entries(axes), loc=location, fontsize=8 if n_panels == 1 else 7, framealpha=0.9)


def legend_entries(axes: Axes) -> tuple[list[Line2D], list[str]]:
    """The curves that have a label, and their labels; matplotlib itself leaves out those that begin with `_`."""
    lines = [line for line in axes.lines if not _UNNAMED.fullmatch(str(line.get_label()))]
    return lines, [str(line.get_label()) for line in lines]


def tidy(axes: Axes) -> None:
    """Light grid, no box at the top and right, small tick labels."""
    axes.grid(True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def add_note(axes: Axes, text: str) -> None:
    """A legend entry without a curve: why one is left out."""
    axes.plot([], [], linestyle="none", label=textwrap.fill(text, 44))


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, atomically."""
    save_figure(figure, path, format="png")


def save_figure(figure: Figure, path: Path, **options: Any) -> None:
    """Write the figure, atomically, with these options of `Figure.savefig`; letters that no font has are said."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    with warnings.catch_warnings(record=True) as caught, mpl.rc_context({"text.parse_math": False}):
        warnings.filterwarnings("always", "Glyph .* missing from font")
        with atomic_path(path) as temporary:
            figure.savefig(temporary, **options)
    missing = [warning for warning in caught if str(warning.message).startswith("Glyph ")]
    for warning in caught:
        if warning not in missing:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if missing:
        _log.warning(
            "warning: letters of names that no font here has are boxes in %s; the report shows them", path.name
        )
