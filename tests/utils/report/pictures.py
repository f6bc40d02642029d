"""What a test reads from the SVG of a chart, with letters measured in a real typeface."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
from PIL import ImageFont

NAMESPACE = "{http://www.w3.org/2000/svg}"
_ARGUMENTS = {"M": 2, "L": 2, "H": 1, "V": 1, "A": 7, "Z": 0}
_SHORTEST_LETTER = 9.0  # pixels on a phone that shows the picture 340 pixels wide


def parsed(svg: str) -> ElementTree.Element:
    """The root of the picture, which must be well-formed XML."""
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    """The words of all labels as they are shown."""
    return [element.text or "" for element in parsed(svg).iter("text")]


def shown_data(svg: str) -> dict[str, Any]:
    """What the script shows at the pointer."""
    return json.loads(parsed(svg).attrib["data-chart"])


def tips(svg: str) -> list[list[str]]:
    """The lines of each element's own box."""
    return [element.attrib["data-tip"].split("\n") for element in parsed(svg).iter() if "data-tip" in element.attrib]


def paths(svg: str, *classes: str) -> list[np.ndarray]:
    """The points (n, 2) of each path that has all of these classes."""
    chosen = [p for p in parsed(svg).iter("path") if set(classes) <= set(p.attrib.get("class", "").split())]
    return [_corners(path) for path in chosen]


def as_values(svg: str, places: np.ndarray) -> np.ndarray:
    """Places (n, 2) of the picture in the units of its axes."""
    data = shown_data(svg)
    left, top, right, bottom = data["box"]
    x = data["x"][0] + (places[:, 0] - left) / (right - left) * (data["x"][1] - data["x"][0])
    y = data["y"][0] + (bottom - places[:, 1]) / (bottom - top) * (data["y"][1] - data["y"][0])
    return np.stack([x, y], axis=1)


def points(d: str) -> np.ndarray:
    """The corners (n, 2) that a path goes through, from its text."""
    found: list[tuple[float, float]] = []
    x = y = 0.0
    start = (0.0, 0.0)
    for command, written in re.findall(r"([MLHVAZmlhvaz])([^MLHVAZmlhvaz]*)", d):
        numbers = [float(number) for number in re.findall(r"-?\d*\.?\d+", written)]
        size = _ARGUMENTS[command.upper()]
        assert len(numbers) == size or (size and len(numbers) % size == 0), (command, written)
        for at in range(0, max(len(numbers), 1), size or 1):
            values = numbers[at : at + size]
            base = (x, y) if command.islower() else (0.0, 0.0)
            if command.upper() == "H":
                x = base[0] + values[0]
            elif command.upper() == "V":
                y = base[1] + values[0]
            elif command.upper() == "Z":
                x, y = start
            else:
                x, y = base[0] + values[-2], base[1] + values[-1]
            if command.upper() == "M":
                start = (x, y)
            found.append((x, y))
    return np.array(found)


def check_picture(svg: str) -> None:
    """Everything is within the viewBox, no label covers another, no colour and no id is written, letters are large."""
    root = parsed(svg)
    assert root.tag == "svg"
    assert root.attrib["role"] == "img"
    assert root.attrib["tabindex"] == "0"
    assert "width" not in root.attrib
    assert root.find("title").text  # type: ignore[union-attr]
    assert root.find("desc").text  # type: ignore[union-attr]
    _, _, width, height = (float(number) for number in root.attrib["viewBox"].split())
    assert 13 * 340 / width >= _SHORTEST_LETTER
    for element in root.iter():
        assert not {"id", "fill", "stroke", "style"} & set(element.attrib), element.attrib
        for at in _corners(element):
            assert -0.1 <= at[0] <= width + 0.1, (element.attrib, at)
            assert -0.1 <= at[1] <= height + 0.1, (element.attrib, at)
    boxes = [(_box(element), element.text) for element in root.iter("text")]
    for (left, top, right, bottom), words in boxes:
        assert left >= -0.5, words
        assert top >= -0.5, words
        assert right <= width + 0.5, words
        assert bottom <= height + 0.5, words
    for (one, words), (other, others) in combinations(boxes, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, f"{words!r} covers {others!r}"


def _corners(element: ElementTree.Element) -> np.ndarray:
    if element.tag == "path":
        scale = re.search(r"scale\((\S+) (\S+)\)", element.attrib.get("transform", ""))
        by = (float(scale[1]), float(scale[2])) if scale else (1.0, 1.0)
        return points(element.attrib["d"]) * by + _offset(element)
    if element.tag == "rect":
        x, y, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
        return np.array([(x, y), (x + width, y + height)])
    return np.zeros((0, 2))


def _offset(element: ElementTree.Element) -> tuple[float, float]:
    moved = re.match(r"translate\((\S+) (\S+)\)", element.attrib.get("transform", ""))
    return (float(moved[1]), float(moved[2])) if moved else (0.0, 0.0)


def _box(element: ElementTree.Element) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the letters of a label in DejaVu Sans, a wide face."""
    classes = element.attrib.get("class", "").split()
    face = "DejaVuSans-Bold.ttf" if {"strong", "count"} & set(classes) else "DejaVuSans.ttf"
    letter = 17 if "count" in classes else 13
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / face), letter)
    length, height = font.getlength(element.text or ""), letter * 0.72
    along = -length / 2 if "mid" in classes else -length if "end" in classes else 0.0
    x, y = float(element.attrib["x"]), float(element.attrib["y"])
    if "rotate(-90)" in element.attrib.get("transform", ""):
        x, y = _offset(element)
        return x - height, y - length / 2, x, y + length / 2
    return x + along, y - height, x + along + length, y
