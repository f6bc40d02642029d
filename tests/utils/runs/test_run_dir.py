from __future__ import annotations

from pathlib import Path

from utils.runs.run_dir import describe_results, fold_files, remove_results


def put(place: Path, *names: str) -> None:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)


def files(place: Path) -> set[str]:
    return {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}


def test_results_are_told_in_the_order_of_the_folds(tmp_path: Path):
    assert describe_results(tmp_path / "no") == ""
    put(tmp_path, "fold10/log.csv", "fold2/metrics.json", "folds/x", "fold²/x", "run.json")
    assert describe_results(tmp_path) == "fold2 (finished), fold10 (begun)"


def test_the_files_of_folds_are_found_by_number(tmp_path: Path):
    put(tmp_path, "fold10/log.csv", "fold2/log.csv", "fold3/other.csv", "fold_x/log.csv")
    assert list(fold_files(tmp_path, "log.csv")) == [2, 10]


def test_results_of_some_folds_are_removed_with_what_is_of_all(tmp_path: Path):
    put(tmp_path, "fold0/log.csv", "fold1/log.csv", "run.json", "notes.txt")
    put(tmp_path, "summary.md", "report.html", "figures/a.png", "clinical/clinical.json")
    remove_results(tmp_path, [1, 7])
    assert files(tmp_path) == {"fold0/log.csv", "run.json", "notes.txt"}
    remove_results(tmp_path, [0])
    assert files(tmp_path) == {"notes.txt"}


def test_removing_results_where_there_are_none_changes_nothing(tmp_path: Path):
    put(tmp_path, "notes.txt")
    remove_results(tmp_path, [0, 1])
    assert files(tmp_path) == {"notes.txt"}
