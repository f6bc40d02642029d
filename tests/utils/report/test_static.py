from __future__ import annotations

import re
from pathlib import Path

import pytest

import utils.report.page as page_module
from utils.figures.palette import SERIES, SERIES_ON_DARK
from utils.report.charts.chart import N_SERIES
from utils.report.colours import colour_variables

STATIC = Path(page_module.__file__).with_name("static")
VARIABLES = ["--ink", "--muted", "--grid", "--paper", "--heat", *(f"--s{index}" for index in range(N_SERIES))]


def _palettes() -> list[dict[str, str]]:
    """Light, dark by the system, dark by choice: the variables of each block that sets the paper."""
    blocks = [
        dict(re.findall(r"(--\w+):\s*(#\w+)", block)) for block in re.findall(r"\{([^{}]*)\}", colour_variables())
    ]
    return [block for block in blocks if "--paper" in block]


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_palette_is_whole_and_both_dark_ones_are_the_same():
    light, system, chosen = _palettes()
    assert sorted(light) == sorted(system) == sorted(VARIABLES)
    assert system == chosen
    assert len({light[f"--s{index}"] for index in range(N_SERIES)}) == N_SERIES


def test_the_colours_are_those_of_the_figures():
    light, dark, _ = _palettes()
    for palette, series in ((light, SERIES), (dark, SERIES_ON_DARK)):
        assert [palette[f"--s{index}"] for index in range(N_SERIES)] == list(series)
    for name in ("chart.css", "page.css"):  # no second place
        text = (STATIC / name).read_text(encoding="utf-8").lower()
        assert not [colour for colour in (*SERIES, *SERIES_ON_DARK) if colour.lower() in text and len(set(colour)) > 2]


@pytest.mark.parametrize("index", [0, 1])
def test_letters_and_curves_stand_out_from_the_paper(index: int):
    palette = _palettes()[index]
    for name in ("--ink", "--muted"):
        assert _contrast(palette[name], palette["--paper"]) >= 4.5, name  # WCAG 2.1, level AA for text
    for series in range(N_SERIES):
        assert _contrast(palette[f"--s{series}"], palette["--paper"]) >= 2, series


@pytest.mark.parametrize("index", [0, 1])
def test_letters_can_be_read_on_the_deepest_cell(index: int):
    palette = _palettes()[index]
    mixed = "#"
    for at in (1, 3, 5):
        heat, paper = int(palette["--heat"][at : at + 2], 16), int(palette["--paper"][at : at + 2], 16)
        mixed += f"{round(0.8 * heat + 0.2 * paper):02x}"
    assert _contrast(palette["--ink"], mixed) >= 4.5


def test_every_series_has_a_colour_and_dashes_of_its_own():
    css = (STATIC / "chart.css").read_text(encoding="utf-8")
    assert all(f".chart .s{index} {{ color: var(--s{index}); }}" in css for index in range(N_SERIES))
    dashes = re.findall(r"\.d(\d) \{ stroke-dasharray: ([^;]+);", css)
    assert [int(index) for index, _ in dashes] == list(range(1, N_SERIES))
    assert len({dash for _, dash in dashes}) == N_SERIES - 1


def test_the_script_neither_loads_nor_runs_text():
    script = (STATIC / "chart.js").read_text(encoding="utf-8")
    for word in ("eval", "Function(", "innerHTML", "fetch", "XMLHttpRequest", "import(", "document.write"):
        assert word not in script, word
    for text in (script, (STATIC / "chart.css").read_text(encoding="utf-8")):
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import", text)
    assert "</script" not in script.lower()
