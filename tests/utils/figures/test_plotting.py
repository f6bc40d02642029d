from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from matplotlib.text import Text

from utils.figures.plotting import add_legend, add_note, line_style, new_figure, panels, save_png


def test_32_curves_can_be_told_apart():
    assert len({tuple(line_style(index).values()) for index in range(32)}) == 32


@pytest.mark.parametrize(("n_panels", "shape"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3)), (7, (3, 3))])
def test_panels_stand_in_a_grid(n_panels: int, shape: tuple[int, int]):
    figure, axes = panels(n_panels, "title")
    figure.canvas.draw()
    assert len(axes) == n_panels
    grid = axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == shape


def test_a_long_title_is_wrapped_within_the_figure():
    figure = new_figure(5.0, 4.0, "a rather long name of a run " * 6 + "\nsecond line")
    figure.add_subplot()
    figure.canvas.draw()
    box = figure._suptitle.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert figure.get_suptitle().endswith("\nsecond line")


def test_a_note_is_a_legend_entry_without_a_curve():
    axes = new_figure(5.0, 4.0, "title").add_subplot()
    add_note(axes, "no curve")
    assert [text.get_text() for text in axes.legend().get_texts()] == ["no curve"]
    assert len(axes.get_lines()[0].get_xdata()) == 0


def test_the_file_is_a_png_and_nothing_else_is_left(tmp_path: Path):
    figure = new_figure(5.0, 4.0, "title")
    save_png(figure, tmp_path / "figures" / "a.png")
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["a.png"]
    assert (tmp_path / "figures" / "a.png").read_bytes().startswith(b"\x89PNG")


def test_names_are_drawn_as_they_stand(tmp_path: Path):
    """`$^$` is no formula that matplotlib could set, and it leaves a label that begins with `_` out of a legend."""
    figure = new_figure(5.0, 4.0, r"data set $^$ \frac{")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], label="_hidden $^$ (class 0)")
    axes.plot([0, 1], [1, 0])
    axes.plot([0, 1], [1, 0], label="_nolegend_")
    axes.set_yticks([0, 1], ["$^$", "a_b^c"])
    add_legend(axes, "best", 1)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["_hidden $^$ (class 0)"]
    save_png(figure, tmp_path / "a.png")
    assert not any(text.get_parse_math() for text in figure.findobj(Text))


def test_letters_without_a_font_are_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    figure = new_figure(5.0, 4.0, "恶性 \U0001f600")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_png(figure, tmp_path / "a.png")
    [message] = caplog.messages
    assert message == "warning: letters of names that no font here has are boxes in a.png; the report shows them"
