"""Options of models, read from source text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from models import MODELS, options, options_of
from models.options import ModelOption, read_options

SOURCE = '''
class Model(BagModel):
    """A model.

    Args:
        dim_in: D.
        n_outputs: C.
        n_heads: number of heads,
            over which the width is divided.
        rate: between 0 and 1.
        gated: whether there is a gate.
        pool: `mean` or `max`.
        parts: what to leave out.

    Raises:
        ValueError: never.
    """

    def __init__(
        self,
        *,
        dim_in: int,
        n_outputs: int,
        n_heads: int = 8,
        rate: float = 0.1,
        gated: bool = True,
        pool: Literal["mean", "max"] = "mean",
        parts: Sequence[Literal["head"]] = (),
    ) -> None:
        super().__init__(dim_in)
'''


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(options, "_ROOT", tmp_path)

    def from_text(text: str) -> dict[str, ModelOption]:
        read_options.cache_clear()
        (tmp_path / "own.py").write_text(text)
        return read_options("own.Model")

    yield from_text
    read_options.cache_clear()


def test_every_kind_of_option(read):
    assert read(SOURCE) == {
        "n_heads": ModelOption("n_heads", int, 8, "number of heads, over which the width is divided"),
        "rate": ModelOption("rate", float, 0.1, "between 0 and 1"),
        "gated": ModelOption("gated", bool, True, "whether there is a gate"),
        "pool": ModelOption("pool", str, "mean", "`mean` or `max`", choices=("mean", "max")),
        "parts": ModelOption("parts", str, (), "what to leave out", choices=("head",), many=True),
    }


def test_an_option_without_a_line_in_the_docstring_is_named(read):
    with pytest.raises(TypeError, match=r"own\.Model: its docstring says nothing of rate under Args"):
        read(SOURCE.replace("        rate: between 0 and 1.\n", ""))


@pytest.mark.parametrize("hint", ["dict[str, int]", "int | None", "Tensor"])
def test_an_annotation_that_is_no_option_is_named(read, hint: str):
    with pytest.raises(
        TypeError, match=r"own\.Model: rate is annotated with .*expected int, float, str, bool, Literal"
    ):
        read(SOURCE.replace("rate: float = 0.1", f"rate: {hint} = 0.1"))


def test_one_name_has_one_type_in_all_models():
    seen: dict[str, ModelOption] = {}
    for name in MODELS:
        for option in options_of(name).values():
            first = seen.setdefault(option.name, option)
            assert (option.kind, option.choices, option.many) == (first.kind, first.choices, first.many)


def test_options_are_known_without_torch():
    code = "import sys, models; [models.options_of(name) for name in models.MODELS]; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(options.__file__).parents[1])
