"""--help and mistakes in the options are answered before anything that is slow to import."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import main
from utils.command.settings import RunSettings

ROOT = Path(__file__).parents[2]
SLOW = (
    *("torch", "torch._dynamo", "torch_geometric", "pandas", "matplotlib", "h5py", "sklearn", "sksurv", "scipy"),
    *("faiss", "tqdm", "PIL"),
)
# The command as `python main.py ...` runs it; then which slow packages it imported, as the last line.
RUN = f"""
import importlib, json, sys
command = importlib.import_module(sys.argv[1])
try:
    status = command.main(command.get_args_parser().parse_args(sys.argv[2:]))
except SystemExit as error:
    status = error.code
print(json.dumps([status, [name for name in {SLOW} if name in sys.modules]]))
"""
MAIN = "--task cls --dataset D --features_dir {features} --splits_dir {splits} --anchors random"
CLUSTERING = "--dataset_name D --input_dir {features} --output_dir {features}"


def call(command: str, arguments: list[str]) -> tuple[int, list[str], str]:
    """Exit code, slow packages that were imported, and what was said on standard error."""
    code = [sys.executable, "-c", RUN, command, *arguments]
    ended = subprocess.run(code, cwd=ROOT, capture_output=True, text=True, check=True)
    status, imported = json.loads(ended.stdout.splitlines()[-1])
    return status, imported, ended.stderr


@pytest.mark.parametrize("command", ["main", "run_clustering"])
def test_help(command: str):
    assert call(command, ["--help"]) == (0, [], "")


@pytest.mark.parametrize(
    ("command", "mistake", "named"),
    [
        ("main", "--learning_rate 3", "--learning_rate"),
        ("main", "--optimizer sgd", "got --optimizer sgd, expected one of ranger, radam, adamw"),
        ("main", "--model micro", "got --model micro, expected one of mico, meanpool"),
        ("main", "--formulation draft", "got --formulation draft, expected one of released, paper"),
        ("main", "--epochs 0", "got --epochs 0, expected 1 "),
        ("main", "--dropout 1", "got --dropout 1.0, expected"),
        ("main", "--model abmil --graph features", "got --graph with --model abmil, expected it with patchgcn or"),
        ("main", "--resume --overwrite", "give one of them"),
        ("main", "--features_dir nowhere", "nowhere does not exist"),
        ("main", "--splits_dir nowhere", "nowhere does not exist"),
        ("main", "--folds 9", "fold9.csv"),
        ("main", "--anchors nowhere.pt", "no anchor file at nowhere.pt"),
        ("run_clustering", "--clusters 3", "--clusters"),
        ("run_clustering", "--scope all", "got --scope all, expected one of both, dataset, slide"),
        ("run_clustering", "--n_iter 0", "got --n_iter 0, expected 1 "),
        ("run_clustering", "--input_dir nowhere", "nowhere does not exist"),
        ("run_clustering", "--fold_csv nowhere.csv", "got --fold_csv nowhere.csv"),
    ],
)
def test_mistakes(cls_cohort, command: str, mistake: str, named: str):
    places = {"features": cls_cohort.features_dir, "splits": cls_cohort.splits_dir}
    common = (MAIN if command == "main" else CLUSTERING).format(**places)
    status, imported, said = call(command, [*common.split(" "), *mistake.split(" ")])
    assert (status, imported) == (2, [])
    assert said.startswith(f"{command}.py: error: ")
    assert said.count("\n") == 1
    assert named in said


# A run as by `python main.py`, with a list of what it imported at its end.
IMPORTED = f"""
import json, sys
import main
status = main.main(main.get_args_parser().parse_args(sys.argv[1:]))
print(json.dumps([name for name in {SLOW} if name in sys.modules]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "unneeded"),
    [
        ("--stage train --no_figures", ["matplotlib", "torch_geometric", "faiss", "PIL"]),
        ("--model abmil --no_figures", ["matplotlib", "torch_geometric", "faiss", "PIL"]),
        ("--model patchgcn --no_figures", ["matplotlib"]),
    ],
)
def test_a_run_imports_what_it_needs(cls_cohort, tmp_path, more: str, unneeded: list[str]):
    places = {"features": cls_cohort.features_dir, "splits": cls_cohort.splits_dir}
    small = ["--embed_dim", "16", "--epochs", "1", "--device", "cpu", "--folds", "0", "--results_dir", str(tmp_path)]
    code = [sys.executable, "-c", IMPORTED, *MAIN.format(**places).split(" "), *small, *more.split(" ")]
    ended = subprocess.run(code, cwd=ROOT, capture_output=True, text=True, check=True)
    imported = set(json.loads(ended.stdout.splitlines()[-1]))
    assert "torch" in imported
    assert imported & {*unneeded} == set()


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ("", "with --resume goes on from what is saved"),
        ("--overwrite", "with --resume instead of --overwrite goes on from what is saved"),
        ("--stage explain", "starts it again"),
    ],
)
def test_ctrl_c_gives_advice_that_can_be_followed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: str, advice: str
):
    def interrupted(settings: RunSettings) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "run", interrupted)
    monkeypatch.setattr(main, "log_to_terminal", lambda: None)  # the handlers of the tests stay
    arguments = [*MAIN.format(features="f", splits="s").split(" "), *options.split()]
    assert main.main(main.get_args_parser().parse_args(arguments)) == 130
    assert capsys.readouterr().err == f"main.py: interrupted; the same command {advice}\n"


@pytest.mark.parametrize("command", ["main", "run_clustering"])
def test_ctrl_c_while_packages_are_imported(cls_cohort, command: str):
    """Torch is the first of them; here its import is the moment of the interruption."""
    places = {"features": cls_cohort.features_dir, "splits": cls_cohort.splits_dir}
    common = (MAIN if command == "main" else CLUSTERING).format(**places)
    interrupt = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == "torch":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
"""
    code = [sys.executable, "-c", interrupt + RUN, command, *common.split(" ")]
    ended = subprocess.run(code, cwd=ROOT, capture_output=True, text=True, check=False)
    assert json.loads(ended.stdout.splitlines()[-1])[0] == 128 + signal.SIGINT
    assert ended.stderr.startswith(f"{command}.py: interrupted; the same command ")
    assert ended.stderr.count("\n") == 1
