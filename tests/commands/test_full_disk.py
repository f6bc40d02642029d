"""A disk that gets full, and a limit on file sizes, at any moment of the work: one sentence, and a run that goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.conftest import cls_arguments, files_in
from tests.small_disk import small_disk, small_files

ADVICE = "then the same command with --resume goes on"


def contents(run_dir: Path) -> dict[str, object]:
    """What is in a run, without the times that it took."""
    found: dict[str, object] = {}
    for name in files_in(run_dir):
        path = run_dir / name
        if path.name == "log.csv":
            header, *rows = (line.split(",") for line in path.read_text().splitlines())
            column = header.index("seconds")
            found[name] = [[cell for place, cell in enumerate(row) if place != column] for row in (header, *rows)]
        elif path.name == "last.pt":
            found[name] = "its log holds times"
        elif path.name == "run.json":
            settings = json.loads(path.read_text())["settings"]
            found[name] = {key: value for key, value in settings.items() if key not in ("results_dir", "resume")}
        else:
            found[name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def undisturbed(cls_cohort, tmp_path_factory) -> dict[str, object]:
    import main

    results = tmp_path_factory.mktemp("undisturbed")
    arguments = [str(argument) for argument in cls_arguments(cls_cohort, results, "--epochs", "2")]
    assert main.main(main.parse_arguments(arguments)) == 0
    return contents(results / "cls/toy/mico_released")


@pytest.mark.slow
@pytest.mark.parametrize("n_bytes", [5_000, 40_000, 120_000, 250_000])
def test_a_run_on_a_full_disk_goes_on_when_there_is_room(
    cls_cohort, run_main, tmp_path: Path, undisturbed: dict[str, object], n_bytes: int
):
    with small_disk(tmp_path / "disk", n_bytes) as disk:
        arguments = cls_arguments(cls_cohort, disk.place / "results", "--epochs", "2")
        run_dir = disk.place / "results/cls/toy/mico_released"
        if disk.is_mounted:
            ended = run_main(*arguments)
            assert ended.status == 2, ended.out
            assert "(No space left on device): make room on its disk, or give a place on another one" in ended.err
            disk.make("size=50M")
        else:
            with small_files(n_bytes // 2):
                ended = run_main(*arguments)
            assert "cannot be written (File too large): raise the limit" in ended.err or ended.status == 0
        assert ended.err.startswith("main.py: error: ")
        assert ended.err.count("\n") == 1
        assert ADVICE in ended.err or "cannot write to" in ended.err  # the second before anything was begun
        assert [name for name in files_in(disk.place) if Path(name).name.startswith(".tmp-")] == []
        run_main(*arguments, "--resume").check()
        assert contents(run_dir) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("n_bytes", [1_000, 60_000])
def test_a_run_under_a_limit_on_file_sizes_goes_on_without_it(
    cls_cohort, run_main, tmp_path: Path, undisturbed: dict[str, object], n_bytes: int
):
    arguments = cls_arguments(cls_cohort, tmp_path, "--epochs", "2")
    with small_files(n_bytes):
        ended = run_main(*arguments)
    assert ended.status == 2, ended.out
    assert "cannot be written (File too large): raise the limit on the size of files" in ended.err
    assert ADVICE in ended.err
    assert ended.err.count("\n") == 1
    run_main(*arguments, "--resume").check()
    assert contents(tmp_path / "cls/toy/mico_released") == undisturbed


@pytest.mark.slow
def test_anchors_under_a_limit_on_file_sizes(cls_cohort, run_clustering, tmp_path: Path):
    arguments = ["--dataset_name", "toy", "--input_dir", cls_cohort.features_dir, "--n_clusters", "20"]
    run_clustering(*arguments, "--output_dir", tmp_path / "undisturbed").check()
    with small_files(1500):
        ended = run_clustering(*arguments, "--output_dir", tmp_path / "limited")
    assert ended.status == 2, ended.out
    assert ended.err.startswith("run_clustering.py: error: ")
    assert "cannot be written (File too large)" in ended.err
    assert ended.err.endswith("; then the same command goes on with the slides that are left\n")
    run_clustering(*arguments, "--output_dir", tmp_path / "limited").check()
    names = files_in(tmp_path / "undisturbed")
    assert files_in(tmp_path / "limited") == names
    assert len(names) > 10
    for name in names:
        if name.endswith(".pt"):
            assert (tmp_path / "limited" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
