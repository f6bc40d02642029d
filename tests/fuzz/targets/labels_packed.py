"""A label table in a .zip or .gz, or in a .gz in a .zip."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

from tests.fuzz.targets import labels_text

SUFFIX = ".zip"


def seeds(folder: Path) -> list[Path]:
    """A zip of one file, of a file among others, a gzip, and a gzip in a zip."""
    text = labels_text.seeds(folder)[0].read_bytes()
    packed = gzip.compress(text, mtime=0)
    contents = [
        _zipped({"../dataset_csv/t.csv": text}),
        _zipped({"__MACOSX/._t.csv": b"x", "readme": b"x", "t.csv": text}, zipfile.ZIP_BZIP2),
        _zipped({"t.csv": text}, zipfile.ZIP_LZMA),
        packed,
        _zipped({"t.csv.gz": packed}, zipfile.ZIP_STORED),
    ]
    paths = [folder / f"packed{number}{SUFFIX}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def read(path: Path) -> None:
    """As a table that is text."""
    labels_text.read(path)


def _zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return content.getvalue()
