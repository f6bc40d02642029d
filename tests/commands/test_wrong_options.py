"""A wrong option of a module's command is one sentence with exit code 2, without the usage before it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

MODULES = {
    "datasets.make_splits": "--labels {place}/labels.csv --output_dir {place}/out --task cls",
    "datasets.pack": "--features_dir {place} --output_dir {place}/out",
    "datasets.synthetic": "--output_dir {place}/out",
    "datasets.ucsb_breast": "--output_dir {place}/out",
    "utils.report": "{place}",
    "utils.tables": "{place}",
    "utils.figures": "{place}",
    "utils.paper": "{place}/plan.csv --output_dir {place}/out",
}
each_module = pytest.mark.parametrize("module", MODULES)


def ended(module: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    """Exit code, standard output and standard error."""
    name = module if module == "datasets.ucsb_breast" else f"{module}.__main__"
    with pytest.raises(SystemExit) as raised:
        import_module(name).main(arguments)
    captured = capsys.readouterr()
    return raised.value.code, captured.out, captured.err


@each_module
@pytest.mark.parametrize("mistake", ["--unknown_option", "--outp x"])
def test_a_wrong_option(module: str, mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = [*MODULES[module].format(place=tmp_path).split(" "), *mistake.split(" ")]
    status, out, said = ended(module, arguments, capsys)
    assert (status, out) == (2, "")
    sentence = f"python -m {module}: error: unrecognized arguments: {mistake} (see python -m {module} --help)\n"
    assert said == sentence
    assert list(tmp_path.iterdir()) == []


@each_module
def test_nothing_given(module: str, capsys: pytest.CaptureFixture[str]):
    status, out, said = ended(module, [], capsys)
    assert (status, out) == (2, "")
    assert said.startswith(f"python -m {module}: error: the following arguments are required: ")
    assert said.count("\n") == 1


@each_module
def test_help_shows_each_default_once(module: str, capsys: pytest.CaptureFixture[str]):
    status, shown, said = ended(module, ["--help"], capsys)
    assert (status, said) == (0, "")
    assert "(default: None)" not in shown
    assert ") (default:" not in " ".join(shown.split())
