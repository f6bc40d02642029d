"""From the content of a page to one HTML file that needs nothing else: no network, no second file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from utils.files.atomic import write_text
from utils.report.colours import colour_variables
from utils.report.content import Block, Page

_FOLDER = Path(__file__).parent
_STYLES = ("chart.css", "page.css")
_SCRIPTS = ("chart.js", "page.js")


def render_page(page: Page) -> str:
    """The HTML text of a page.

    Every value is escaped by the template engine, the SVG of charts excepted (`templates/blocks.html.j2`). The page's
    Content-Security-Policy allows for no request and, by its digest, for no script but the one of this folder: a name
    from a data set cannot run as code even where an escape were forgotten.
    """
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["kind"] = _is_kind
    script = _inlined(_SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    template = environment.get_template("page.html.j2")
    return template.render(page=page, style=page_style(), script=script, script_digest=digest)


def write_page(path: Path, page: Page) -> Path:
    """Write the page as HTML, atomically; returns its path."""
    write_text(path, render_page(page))
    return path


def page_style() -> str:
    """The style of every page: the colours, then the files of `static/`."""
    return "\n" + colour_variables() + _inlined(_STYLES)


def _is_kind(block: Block, name: str) -> bool:
    return type(block).__name__ == name


def _inlined(names: tuple[str, ...]) -> str:
    """Files of `static/`, one after the other."""
    return "\n" + "".join((_FOLDER / "static" / name).read_text(encoding="utf-8") for name in names)
