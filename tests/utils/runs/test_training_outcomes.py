from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from utils.errors import UserError
from utils.runs.training_outcomes import read_training_outcomes, write_training_outcomes

OUTCOMES = {"case_ids": ["001", "NA", "a,b"], "time": [14.5, 0.1 + 0.2, 60], "event": [1, 0, 1], "bin": [1, 0, 3]}


def _write(path: Path, **change: object) -> None:
    arguments = {name: value if name == "case_ids" else np.array(value) for name, value in (OUTCOMES | change).items()}
    write_training_outcomes(path, **arguments)


def test_the_text_of_a_small_file(tmp_path: Path):
    _write(tmp_path / "fold0" / "outcomes_train.csv")
    assert (tmp_path / "fold0" / "outcomes_train.csv").read_text() == (
        'case_id,time,event,bin\n001,14.5,1,1\nNA,0.30000000000000004,0,0\n"a,b",60.0,1,3\n'
    )
    assert [path.name for path in (tmp_path / "fold0").iterdir()] == ["outcomes_train.csv"]


def test_a_file_reads_back_as_it_was_written(tmp_path: Path):
    _write(tmp_path / "o.csv", event=[True, False, True])
    expected = pd.DataFrame(
        {"case_id": ["001", "NA", "a,b"], "time": [14.5, 0.1 + 0.2, 60.0], "event": [1, 0, 1], "bin": [1, 0, 3]}
    )
    pd.testing.assert_frame_equal(read_training_outcomes(tmp_path / "o.csv"), expected)


def test_every_digit_of_a_time_is_kept(tmp_path: Path):
    time = np.random.default_rng(0).exponential(30, 300)
    ids = [str(index) for index in range(300)]
    write_training_outcomes(tmp_path / "o.csv", case_ids=ids, time=time, event=np.ones(300), bin=np.zeros(300))
    np.testing.assert_array_equal(read_training_outcomes(tmp_path / "o.csv")["time"], time)


def test_columns_stand_in_any_order_and_others_are_left_out(tmp_path: Path):
    (tmp_path / "o.csv").write_text("bin,site,event,time,case_id\n2.0,07,1,3,001\n")
    table = read_training_outcomes(tmp_path / "o.csv")
    assert table.to_dict("records") == [{"case_id": "001", "time": 3.0, "event": 1, "bin": 2}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": [1.0, -1, 2]}, "column time, line 3: found '-1.0', expected months, 0 or more"),
        ({"time": [1.0, 2, np.inf]}, "column time, line 4: found 'inf', expected months"),
        ({"event": [2, 0, 1]}, "column event, line 2: found '2.0', expected 1 .death observed. or 0"),
        ({"bin": [0, 0.5, 1]}, "column bin, line 3: found '0.5', expected an integer, 0 or more"),
        ({"bin": [0, -1, 1]}, "column bin, line 3: found '-1.0', expected an integer, 0 or more"),
        ({"bin": [0, 1e308, 1]}, "column bin, line 3: found '1e.308', expected less than 2147483648"),
        ({"case_ids": ["a", "", "b"]}, "column case_id, line 3: found '', expected a text"),
        ({"case_ids": ["a", "b", "a"]}, "column case_id, line 4: found 'a', expected a case that no line above has"),
        ({"case_ids": ["a", "b"]}, r"time: expected 2 numbers, got float64 of shape \(3,\)"),
        ({"event": [[1], [0], [1]]}, r"event: expected 3 numbers, got int64 of shape \(3, 1\)"),
        ({"bin": ["a", "b", "c"]}, "bin: expected 3 numbers, got <U1"),
        ({"case_ids": [], "time": [], "event": [], "bin": []}, "no case"),
    ],
)
def test_wrong_outcomes_are_not_written(tmp_path: Path, change: dict, message: str):
    with pytest.raises(ValueError, match=message):
        _write(tmp_path / "o.csv", **change)
    assert list(tmp_path.iterdir()) == []


HEADER = "case_id,time,event,bin\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no row below its header"),
        (HEADER, "holds no row below its header"),
        ("case_id,time,event\na,1,1\n", r"column bin is missing \(found case_id, time, event\)"),
        (HEADER + "a,1,1\n", "line 2 holds 3 cells, expected 4"),
        (HEADER + "a,1,1,0\nb,soon,1,0\n", "column time, line 3: found 'soon', expected months, 0 or more"),
        (HEADER + "a,1,1,0\nb,,1,0\n", "column time, line 3: found ''"),
        (HEADER + "a,1,nan,0\n", "column event, line 2: found 'nan', expected 1"),
        (HEADER + "a,1,1,inf\n", "column bin, line 2: found 'inf', expected an integer"),
        (HEADER + "a,1,1,0\na,2,1,0\n", "column case_id, line 3: found 'a', expected a case that no line above has"),
        (HEADER + ",1,1,0\n", "column case_id, line 2: found '', expected a text"),
        (HEADER + '"a,1,1,0\n', "is no CSV text"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, text: str, message: str):
    path = tmp_path / "outcomes_train.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as raised:
        read_training_outcomes(path)
    assert str(raised.value).startswith(str(path))
    assert str(raised.value).endswith("main.py --stage test --overwrite.")
    assert "\n" not in str(raised.value)


def test_a_missing_file_and_binary_rubbish_are_user_errors(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be read"):
        read_training_outcomes(tmp_path / "none.csv")
    (tmp_path / "o.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UserError, match="is no CSV text"):
        read_training_outcomes(tmp_path / "o.csv")
