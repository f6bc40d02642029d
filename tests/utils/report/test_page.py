from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from tests.utils.report.page_reader import PageReader
from utils.report.charts.chart import Chart
from utils.report.content import (
    Bullets,
    Cell,
    Charts,
    Folded,
    Gallery,
    Page,
    Picture,
    Section,
    Table,
    Text,
    count,
    number,
    p_value,
    row,
)
from utils.report.page import render_page, write_page

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


def page_of(*blocks: object, title: str = "t") -> Page:
    return Page(title, "kind", ("verdict",), (Section("one", "One", tuple(blocks)),))


def test_no_value_of_any_kind_becomes_markup():
    table = Table(EVIL, (EVIL, "b"), (row(EVIL, Cell(EVIL, 1.0, href='"><b>')),), notes=(EVIL,))
    picture = Picture("data:,", 1, 1, EVIL, EVIL)
    blocks = (table, Text(EVIL), Bullets((EVIL,)), Gallery(EVIL, EVIL, (picture,), (EVIL,)), Folded(EVIL, (Text("x"),)))
    html = render_page(Page(EVIL, EVIL, (EVIL,), (Section("one", EVIL, (*blocks, Charts((Chart(EVIL, "", EVIL),)))),)))
    plain = render_page(page_of(Charts((Chart("t", "<svg></svg>", ""),))))
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert PageReader(html).scripts == PageReader(plain).scripts == 1
    assert EVIL in PageReader(html).text


def test_the_svg_of_a_chart_is_taken_as_it_is():
    assert "<svg><path d='M0 0'/></svg>" in render_page(page_of(Charts((Chart("t", "<svg><path d='M0 0'/></svg>"),))))


def test_text_becomes_markup_in_one_place_beside_style_and_script():
    templates = Path(render_page.__code__.co_filename).parent / "templates"
    safe = [match for path in templates.iterdir() for match in re.findall(r"{{[^}]*safe[^}]*}}", path.read_text())]
    assert sorted(safe) == ["{{ one.svg | safe }}", "{{ script | safe }}", "{{ style | safe }}"]


def test_the_policy_allows_for_the_script_of_the_page_and_for_nothing_else():
    html = render_page(page_of(Text("x")))
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert script
    assert policy
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].replace("&#39;", "'").split(";"))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_nothing_points_to_another_place():
    html = re.sub(r"<script>.*</script>", "", render_page(page_of(Text("x"))), flags=re.DOTALL)
    assert re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!#|data:)[^"'\s>)]+""", html) == []
    assert "@import" not in html


def test_a_table_has_caption_scopes_and_values():
    table = Table("c", ("name", "x"), (row("a", number(0.25)), row("b", number(None))), footer=(row("mean", "–"),))
    html = render_page(page_of(table))
    assert PageReader(html).rows("c") == [
        {"name": "a", "x": "0.250"},
        {"name": "b", "x": "–"},
        {"name": "mean", "x": "–"},
    ]
    assert '<th scope="row">a</th><td class=n data-value="0.25">0.250</td>' in html
    assert html.count('scope="col"') == 2
    assert "<table data-sortable>" in html
    assert "<table>" in render_page(page_of(Table("c", ("x",), (row("a"),))))  # nothing to sort


def test_cells_of_undefined_numbers_are_dashes():
    nan = float("nan")
    assert [cell.text for cell in (number(nan), count(None), p_value(None), p_value(nan))] == ["–"] * 4
    assert [p_value(0.00001), count(3)] == [Cell("<0.001", 0.00001), Cell("3", 3.0)]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="c: expected rows of 2 cells, got 1"):
        Table("c", ("a", "b"), (row("x"),))


def test_a_page_is_written_as_utf8(tmp_path: Path):
    path = write_page(tmp_path / "r.html", page_of(Text("±"), title="Ä"))
    assert "±" in path.read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["r.html"]
