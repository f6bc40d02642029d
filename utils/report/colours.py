"""The colours of a page as variables of its style: on light paper, and on dark paper by the system or by choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from utils.figures.palette import BLUE, SERIES, SERIES_ON_DARK

_LIGHT = {"ink": "#1b1d20", "muted": "#5a6068", "grid": "#e4e7ea", "paper": "#ffffff", "heat": BLUE}
_DARK = {"ink": "#e9ebee", "muted": "#a4abb4", "grid": "#2c3138", "paper": "#15181c", "heat": "#1380c4"}


def colour_variables() -> str:
    """The CSS that sets `--ink`, `--paper` and so on, and `--s0`, `--s1`, ... of the series.

    Paper is always light in print.
    """
    light, dark = _variables(_LIGHT, SERIES), _variables(_DARK, SERIES_ON_DARK)
    return "\n".join(
        [
            f":root {light}",
            f'@media screen and (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {dark} }}',
            f'@media screen {{ :root[data-theme="dark"] {dark} }}',
            "",
        ]
    )


def _variables(page: Mapping[str, str], series: Sequence[str]) -> str:
    named = {**page, **{f"s{index}": colour for index, colour in enumerate(series)}}
    return "{ " + " ".join(f"--{name}: {colour};" for name, colour in named.items()) + " }"
