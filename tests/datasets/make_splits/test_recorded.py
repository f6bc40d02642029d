from __future__ import annotations

import json
from pathlib import Path

from datasets.make_splits.recorded import recorded_option, without_folders


def test_options_are_names_and_values():
    options = {
        "a": Path("/data/x.csv"),
        "b": (Path("../f/uni"), Path("conch")),
        "c": 0.2,
        "d": None,
        "e": ("IDC", "a/b"),
    }
    assert json.loads(json.dumps({name: recorded_option(value) for name, value in options.items()})) == {
        "a": "x.csv",
        "b": ["uni", "conch"],
        "c": 0.2,
        "d": None,
        "e": ["IDC", "a/b"],
    }
    assert (recorded_option(Path()), recorded_option(Path("/"))) == (".", "/")


def test_places_in_texts_are_names():
    text = "ids of /data/in/x_k=0 and /data/in are not in /data/in/t.csv (a/b; ...)"
    places = [Path("/data/in"), Path("/data/in/t.csv"), Path(), None]
    assert without_folders(text, places) == "ids of in/x_k=0 and in are not in t.csv (a/b; ...)"
