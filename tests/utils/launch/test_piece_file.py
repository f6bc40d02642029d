"""Pieces as JSON: what is read is what was written, and what makes two pieces the same."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path

import pytest

import main
import run_clustering
from utils.errors import UserError
from utils.launch.piece import Piece
from utils.launch.piece_file import digest_of, name_of, read_piece, settings_of, write_pieces

RUN = "--task surv --dataset X --features_dir a b --splits_dir c --anchors d --folds 0 1 --cache ram --cache_gb 0.1"


def piece_of(words: str, step: str = "run_fold_alone") -> Piece:
    settings = main.settings_of(main.parse_arguments(words.split()))
    work = partial(getattr(main, step), settings)
    return Piece("fold 0", "run", "fold", work, "main.py", Path("logs/run_fold0.log"), ("begin",), (Path("run/fold0"),))


def anchors_of(words: str) -> Piece:
    settings = run_clustering.settings_of(run_clustering.get_args_parser().parse_args(words.split()))
    return Piece("begin", "begin", "anchors", partial(run_clustering.run, settings), "x", Path("logs/anchors.log"))


@pytest.mark.parametrize(
    "words",
    [
        RUN,
        f"{RUN} --ablate route reducer --lr 1e-05 --explain_slides one two --slides_dir /slides --stage explain",
        f"{RUN} --model transmil --seed 3 --max_patches 100",
    ],
)
def test_what_is_read_is_what_was_written(tmp_path: Path, words: str):
    written = [piece_of(words), anchors_of("--dataset_name X --input_dir a b --output_dir c --fold_csv x.csv y.csv")]
    write_pieces(tmp_path / "pieces.json", written, written)
    for number, piece in enumerate(written):
        read, needs = read_piece(tmp_path / "pieces.json", number)
        assert read.work.func is piece.work.func  # type: ignore[attr-defined]
        assert read.work.args == piece.work.args  # type: ignore[attr-defined]
        assert dataclasses.replace(read, work=piece.work) == piece
        assert needs == ({"begin": "anchors.anchors"} if number == 0 else {})
        assert (name_of(read), digest_of(read)) == (name_of(piece), digest_of(piece))
    assert settings_of(written[0]).run_dir == Path("results/surv/X") / settings_of(written[0]).run_dir.name  # type: ignore[union-attr]
    assert settings_of(written[1]) is None


def test_the_file_says_in_words_what_is_done(tmp_path: Path):
    write_pieces(tmp_path / "pieces.json", [anchors_of("--dataset_name X --input_dir a --output_dir c")], [])
    (record,) = json.loads((tmp_path / "pieces.json").read_text())["pieces"]
    assert record["work"]["function"] == "run_clustering.run"
    assert record["work"]["arguments"][0]["values"]["input_dir"] == ["a"]
    with pytest.raises(UserError, match=r"got the number 1, expected 0 to 0"):
        read_piece(tmp_path / "pieces.json", 1)


def test_a_function_without_a_name_is_refused(tmp_path: Path):
    piece = Piece("a", "a", "fold", lambda: None, "prog", tmp_path / "a.log")
    with pytest.raises(ValueError, match="expected a partial of a function"):
        write_pieces(tmp_path / "pieces.json", [piece], [piece])


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("--resume", True),
        ("--overwrite", True),
        ("--num_workers 4 --no_figures --profile", True),
        ("--lr 0.1", False),
        ("--ablate route", False),
        ("--results_dir elsewhere", False),
        ("--stage train", False),
    ],
)
def test_pieces_are_the_same_if_the_same_comes_out(words: str, same: bool):
    assert (digest_of(piece_of(f"{RUN} {words}")) == digest_of(piece_of(RUN))) == same


def test_steps_of_a_run_are_different_work():
    assert digest_of(piece_of(RUN, "end_run")) != digest_of(piece_of(RUN))
