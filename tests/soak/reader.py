"""A reader beside a run: opens every file of a folder again and again, and says which ones were not whole.

`reader.py FOLDER REPORT`: ends when REPORT's name with `.stop` exists, and writes to REPORT how much was read.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import time
import warnings
from pathlib import Path

import torch
from PIL import Image

PAUSE = 3.0  # times as long as a look took: the command that is watched needs the processor more


def check_whole(path: Path) -> None:
    """Read a file as its readers do; FileNotFoundError where it was removed, any other error where it is not whole."""
    data = path.read_bytes()
    if path.suffix == ".pt":
        torch.load(io.BytesIO(data), weights_only=True)
    elif path.suffix == ".json":
        json.loads(data)
    elif path.suffix == ".csv":
        text = data.decode("utf-8")
        header, *rows = csv.reader(io.StringIO(text))
        if not text.endswith("\n") or any(len(row) != len(header) for row in rows):
            raise ValueError("a row is cut off")
    elif path.suffix == ".png":
        Image.open(io.BytesIO(data)).load()
    elif path.suffix == ".html" and not data.rstrip().endswith(b"</html>"):
        raise ValueError("the page is cut off")
    elif path.suffix == ".md" and not data.endswith(b"\n"):
        raise ValueError("the text is cut off")


def files_of(folder: Path) -> list[Path]:
    """The files that are there for readers: all but those with a name, of file or folder, that starts with a dot."""
    try:
        there = [path for path in folder.rglob("*") if path.is_file()]
    except FileNotFoundError:  # a folder was removed while it was listed
        return []
    return [path for path in there if not any(name.startswith(".") for name in path.relative_to(folder).parts)]


def main(folder: Path, report: Path) -> None:
    """Read until told to stop."""
    warnings.simplefilter("error")
    reads, failures = 0, list[str]()
    stop, forge = report.with_name(report.name + ".stop"), os.getppid()
    while not stop.exists() and os.getppid() == forge:  # a soak that was killed tells nobody to stop
        began = time.monotonic()
        for path in files_of(folder):
            try:
                check_whole(path)
            except FileNotFoundError:
                continue
            except Exception as error:  # noqa: BLE001  whatever a reader would stumble over
                failures.append(f"{path.relative_to(folder)}: {type(error).__name__}: {error}")
            reads += 1
        time.sleep(0.005 + PAUSE * (time.monotonic() - began))
    temporary = report.with_name("." + report.name)
    temporary.write_text(json.dumps({"reads": reads, "failures": failures}))
    temporary.replace(report)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
