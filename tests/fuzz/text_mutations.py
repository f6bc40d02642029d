"""Damage to text: tables and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.byte_mutations import LARGEST, NUMBERS

_ODD = (
    "\0",
    "\ufeff",
    "\u2028",
    "\u202e",
    "\u0308",
    "\u200b",
    "\U0001f9ec",
    '"',
    "'",
    "\\",
    "\r",
    "\n",
    "\t",
    ",",
    ";",
)
_ODD = (
    *_ODD,
    "\x1b[31m",
    "\x7f",
    "$",
    "%s",
    "{0}",
    "<b>",
    "../",
    "/",
    "=1+1",
    "\ud800",
    "é",
    "ß",
    " ",
    "#",
    "|",
    "NaN",
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_SEPARATORS = re.compile(r"[,;\t|]")


def odd_characters(text: str, rng: Random) -> str:
    """A character, or many of one, that a table does not expect."""
    place = rng.randint(0, len(text))
    return text[:place] + rng.choice(_ODD) * rng.choice((1, 1, 1, 2, 300, 70_000)) + text[place:]


def other_number(text: str, rng: Random) -> str:
    """A number becomes another one."""
    numbers = list(_NUMBER.finditer(text))
    if not numbers:
        return odd_characters(text, rng)
    found = rng.choice(numbers)
    return text[: found.start()] + rng.choice(NUMBERS) + text[found.end() :]


def other_lines(text: str, rng: Random) -> str:
    """A line is missing, twice there, empty, or at another place."""
    lines = text.split("\n")
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        del lines[a]
    elif kind == 1:
        lines.insert(b, lines[a])
    elif kind == 2:
        lines[a] = ""
    elif kind == 3:
        lines[a], lines[b] = lines[b], lines[a]
    else:
        lines[a:a] = [lines[a]] * min(2_000, LARGEST // (len(lines[a]) + 1))
    return "\n".join(lines)


def other_cells(text: str, rng: Random) -> str:
    """A cell is missing, empty, twice there, or that of another line."""
    lines = text.split("\n")
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    found = _SEPARATORS.search(lines[a])
    separator = found.group() if found else ","
    cells, others = lines[a].split(separator), lines[b].split(separator)
    place = rng.randrange(len(cells))
    new = rng.choice(([], [""], [cells[place]] * 2, [rng.choice(others)], [rng.choice(NUMBERS)], ['"' + cells[place]]))
    lines[a] = separator.join([*cells[:place], *new, *cells[place + 1 :]])
    return "\n".join(lines)


TEXT: tuple[Callable[[str, Random], str], ...] = (odd_characters, other_number, other_number, other_lines, other_cells)


def mutate_text(data: bytes, rng: Random) -> bytes | None:
    """A change to text in UTF-8, now and then in another encoding; None for bytes that are no text."""
    text = text_of(data)
    if text is None:
        return None
    text = rng.choice(TEXT)(text, rng)
    encoding = rng.choice(("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig")) if rng.random() < 0.05 else "utf-8"
    return text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")


def mutate_json(data: bytes, rng: Random) -> bytes | None:
    """A value of a JSON text becomes one of another type or size, is missing, or has another name; None for no JSON."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    raw: dict[str, str] = {}
    places = list(_places(value))
    if not places:
        return rng.choice(("[]", "{}", "0", '"a"', "null", "")).encode()
    container, key = rng.choice(places)
    kind = rng.random()
    if kind < 0.15:
        del container[key]
    elif kind < 0.25 and isinstance(container, dict):
        container[rng.choice(("", "a", str(key) + "x", str(key).upper(), "\ud800"))] = container.pop(key)
    elif kind < 0.35:
        other, name = rng.choice(places)
        container[key] = json.loads(json.dumps(other[name])) if name in _names(other) else None
    else:
        container[key] = _new_value(rng, raw)
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 2)))
    for mark, token in raw.items():
        text = text.replace(f'"{mark}"', token)
    return text.encode("utf-8", "surrogatepass")


def text_of(data: bytes) -> str | None:
    """The text of bytes in UTF-8; None for others, and for bytes with zeros between them."""
    if b"\0" in data[:1000]:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _places(value: Any) -> Any:
    """(container, key) of every value within."""
    names = _names(value)
    for name in names:
        yield value, name
        yield from _places(value[name])


def _names(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) else []


def _new_value(rng: Random, raw: dict[str, str]) -> Any:
    plain = (None, True, False, 0, -1, 1.5, 10**9, 2**63, 10**30, 1e308, "", "a", "\0", "../../x", "\ud800", [], {})
    if rng.random() < 0.6:
        return rng.choice((*plain, [None], [[]], [1, "a"], {"a": 1}, ["a"] * 5000, {"": {}}, "a" * 100_000, [0, 0]))
    tokens = ("NaN", "Infinity", "-Infinity", "1e999", "-0.0", "1" * 5000, "1" + "0" * 30, '{"a":1,"a":2}', "")
    mark = f"@@{len(raw)}@@"
    raw[mark] = rng.choice((*tokens, "[" * 3000 + "]" * 3000, '{"a":' * 3000 + "1" + "}" * 3000, "[" * 200_000))
    return mark
