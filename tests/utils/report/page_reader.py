"""What stands in a page of the report: tables by caption, text, and whether its tags are balanced."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = ("meta", "link", "img", "br", "hr", "input")


class PageReader(HTMLParser):
    """Reads HTML text; `tables` {caption: rows of cell texts, header first}, `links`, `text`, `pictures`."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.text = ""
        self.scripts = 0
        self._caption = ""
        self.feed(html)
        self.close()
        assert self.open == [], f"tags left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in _VOID:
            self.open.append(tag)
        self.scripts += tag == "script"
        if tag == "a":
            self.links.append(values["href"] or "")
        elif tag == "img":
            self.pictures.append(values["alt"] or "")
        elif tag == "caption":
            self._caption = ""
        elif tag == "tr":
            self.tables[self._caption].append([])
        elif tag in ("th", "td"):
            self.tables[self._caption][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag
        if tag == "caption":
            self.tables[self._caption] = []

    def handle_data(self, data: str) -> None:
        if "style" in self.open or "script" in self.open:
            return
        if "caption" in self.open:
            self._caption += data
        elif "th" in self.open or "td" in self.open:
            self.tables[self._caption][-1][-1] += data
        else:
            self.text += " ".join(data.split()) + "\n" if data.strip() else ""

    def rows(self, caption: str) -> list[dict[str, str]]:
        """The rows of the one table whose caption begins so, as {heading: cell}."""
        found = [rows for name, rows in self.tables.items() if name.startswith(caption)]
        assert len(found) == 1, list(self.tables)
        header, *rows = found[0]
        return [dict(zip(header, row, strict=True)) for row in rows]
