from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from utils.errors import UserError
from utils.runs.predictions import (
    classification_table,
    output_columns,
    read_predictions,
    survival_table,
    task_of,
    with_outcomes,
    write_predictions,
)
from utils.runs.tasks import CLASSIFICATION, SURVIVAL


def _classification() -> pd.DataFrame:
    prob = np.array([[0.9, 0.1], [0.25, 0.75], [0.5, 0.5]])
    return classification_table(["001", "NA", "a,b"], [["s1"], ["s2", "s3"], ["s.4"]], np.array([0, 1, 1]), prob)


def _survival() -> pd.DataFrame:
    hazard = np.array([[0.1, 0.2], [0.3, 0.4]])
    return survival_table(
        ["001", "002"], [["x"], ["y", "z"]], np.array([3.5, 12]), np.array([1, 0]), [0, 1], [-1.7, -1.1], hazard
    )


def test_the_columns_are_those_of_the_interface():
    assert list(_classification().columns) == ["case_id", "slide_ids", "label", "prediction", "prob_0", "prob_1"]
    assert list(_survival().columns) == [
        "case_id", "slide_ids", "time", "event", "bin", "risk", "hazard_0", "hazard_1",
    ]  # fmt: skip
    assert (task_of(_classification()), task_of(_survival())) == (CLASSIFICATION, SURVIVAL)
    assert output_columns(_survival()) == ["hazard_0", "hazard_1"]


def test_the_prediction_is_the_most_probable_class_and_the_first_of_a_tie():
    assert _classification()["prediction"].tolist() == [0, 1, 0]


@pytest.mark.parametrize("table", [_classification(), _survival()])
def test_a_file_reads_back_as_the_same_table(tmp_path: Path, table: pd.DataFrame):
    write_predictions(tmp_path / "p.csv", table)
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "p.csv"), table)


def test_ids_stay_text_and_slides_are_joined(tmp_path: Path):
    write_predictions(tmp_path / "p.csv", _classification())
    table = read_predictions(tmp_path / "p.csv")
    assert table["case_id"].tolist() == ["001", "NA", "a,b"]
    assert table["slide_ids"].tolist() == ["s1", "s2;s3", "s.4"]


def test_floats_keep_every_digit(tmp_path: Path):
    rng = np.random.default_rng(0)
    prob = rng.dirichlet([1, 1, 1], size=200).astype(np.float32)
    ids = [str(index) for index in range(200)]
    write_predictions(tmp_path / "p.csv", classification_table(ids, [[i] for i in ids], np.zeros(200), prob))
    read = read_predictions(tmp_path / "p.csv")[["prob_0", "prob_1", "prob_2"]].to_numpy()
    np.testing.assert_array_equal(read, prob.astype(np.float64))

    time, risk = rng.exponential(30, 200), -rng.exponential(1e-9, 200)
    table = survival_table(ids, [[i] for i in ids], time, np.ones(200), np.zeros(200), risk, rng.random((200, 4)))
    write_predictions(tmp_path / "s.csv", table)
    read = read_predictions(tmp_path / "s.csv")
    np.testing.assert_array_equal(read["time"], time)
    np.testing.assert_array_equal(read["risk"], risk)


def test_extra_columns_are_kept_as_text(tmp_path: Path):
    write_predictions(tmp_path / "p.csv", _survival().assign(site=["01", "02"]))
    table = read_predictions(tmp_path / "p.csv")
    assert table["site"].tolist() == ["01", "02"]
    assert task_of(table) == SURVIVAL


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": np.array([[0], [1], [1]])}, r"label: expected shape \(3,\), got \(3, 1\)"),
        ({"label": np.array([0, 2, 1])}, r"column label, line 3: found '2.0', expected an integer from 0 to 1"),
        ({"prob": np.array([0.1, 0.2, 0.3])}, r"prob: expected shape \(n, C\)"),
        ({"prob": np.full((3, 2), 0.4)}, r"prob_0\.\.prob_1, line 2: found 0.4, 0.4, expected .* sum to 1"),
        ({"prob": np.full((3, 2), np.nan)}, "column prob_0, line 2: found 'nan', expected a probability"),
        ({"prob": np.array([["a", "b"]] * 3)}, "prob: expected numbers"),
        ({"case_ids": ["a", "b"]}, "expected 3 cases, got 2 case_ids"),
        ({"case_ids": ["a", "", "b"]}, "column case_id, line 3"),
        ({"slide_ids": [["a;b"], ["c"], ["d"]]}, "'a;b' holds ';'"),
        ({"slide_ids": [["a"], ["c"], ["a"]]}, "slide_ids, line 4: found 'a', expected slides that no case above has"),
    ],
)
def test_a_wrong_classification_table_is_refused(change: dict, message: str):
    arguments = {
        "case_ids": ["a", "b", "c"],
        "slide_ids": [["a"], ["b"], ["c"]],
        "label": np.array([0, 1, 1]),
        "prob": np.full((3, 2), 0.5),
    }
    with pytest.raises(ValueError, match=message):
        classification_table(**(arguments | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": np.array([1, 2])}, "column event, line 3: found '2.0', expected 1 .death observed. or 0"),
        ({"time": np.array([-1.0, 2])}, "column time, line 2"),
        ({"bin": np.array([0, 4])}, "column bin, line 3"),
        ({"risk": np.array([0, np.inf])}, "column risk, line 3: found 'inf', expected a finite number"),
        ({"risk": np.zeros((2, 1))}, r"risk: expected shape \(2,\), got \(2, 1\)"),
        ({"hazard": np.full((2, 4), 1.5)}, "column hazard_0, line 2"),
    ],
)
def test_a_wrong_survival_table_is_refused(change: dict, message: str):
    arguments = {
        "case_ids": ["a", "b"],
        "slide_ids": [["a"], ["b"]],
        "time": np.array([1.0, 2]),
        "event": np.array([1, 0]),
        "bin": np.array([0, 3]),
        "risk": np.array([0.0, 1]),
        "hazard": np.full((2, 4), 0.5),
    }
    with pytest.raises(ValueError, match=message):
        survival_table(**(arguments | change))


def test_a_table_spoilt_after_it_was_made_is_not_written(tmp_path: Path):
    with pytest.raises(ValueError, match=r"refused to write .* column event"):
        write_predictions(tmp_path / "p.csv", _survival().assign(event=[1, 3]))
    assert list(tmp_path.iterdir()) == []


HEADER = "case_id,slide_ids,label,prediction,prob_0,prob_1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no row below its header"),
        (HEADER, "holds no row below its header"),
        ("a,b\n1,2\n", "expected a column prob_0 .cls. or hazard_0 .surv., found a, b"),
        ("case_id,slide_ids,label,prob_0,prob_1\na,b,0,1,0\n", "column prediction is missing"),
        ("case_id,slide_ids,label,prediction,prob_0,prob_2\na,b,0,0,1,0\n", "column prob_1 is missing"),
        (HEADER + "a,s,0,0,1\n", "line 2 holds 5 cells, expected 6"),
        (HEADER + "a,s,0,0,1,0\nb,t,zero,0,1,0\n", "column label, line 3: found 'zero', expected an integer"),
        (HEADER + "a,s,0,0,1,0\nb,t,0.5,0,1,0\n", "column label, line 3: found '0.5', expected an integer"),
        (HEADER + "a,s,0,0,,0\n", "column prob_0, line 2: found '', expected a probability"),
        (HEADER + "a,s,0,0,nan,0\n", "column prob_0, line 2: found 'nan'"),
        (HEADER + "a,s,0,0,0.9,0.05\n", r"column prob_0\.\.prob_1, line 2: found 0.9, 0.05"),
        (HEADER + "a,s,0,1,0.9,0.1\n", "column prediction, line 2: found '1', expected the class of the highest"),
        (HEADER + ",s,0,0,0.9,0.1\n", "column case_id, line 2: found '', expected a text"),
        (HEADER.replace("prediction", "label") + "a,s,0,0,0.9,0.1\n", "two columns have the same name"),
        (HEADER + 'a,"s,0,0,0.9,0.1\n', "is no CSV text"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, text: str, message: str):
    path = tmp_path / "predictions_test.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as raised:
        read_predictions(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_integers_may_be_written_with_a_point(tmp_path: Path):
    (tmp_path / "p.csv").write_text(HEADER + "a,s,1.0,1,0.1,0.9\n")
    table = read_predictions(tmp_path / "p.csv")
    assert table["label"].tolist() == [1]
    assert table["label"].dtype == np.int64


def test_a_missing_file_and_binary_rubbish_are_user_errors(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be read"):
        read_predictions(tmp_path / "none.csv")
    (tmp_path / "p.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UserError, match="is no CSV text"):
        read_predictions(tmp_path / "p.csv")


def test_outcomes_may_be_unknown_only_where_the_caller_says_so(tmp_path: Path):
    prob = np.array([[0.9, 0.1], [0.25, 0.75]])
    table = classification_table(["a", "b"], [["s"], ["t"]], np.array([np.nan, 1]), prob, ["no", "yes"])
    assert table["label_name"].tolist() == ["", "yes"]
    assert table["prediction_name"].tolist() == ["no", "yes"]
    with pytest.raises(ValueError, match="column label, line 2"):
        write_predictions(tmp_path / "p.csv", table)
    write_predictions(tmp_path / "p.csv", table, may_lack_outcomes=True)
    assert (tmp_path / "p.csv").read_text().splitlines()[1] == "a,s,,0,0.9,0.1,,no"
    with pytest.raises(UserError, match="column label, line 2: found ''"):
        read_predictions(tmp_path / "p.csv")
    read = read_predictions(tmp_path / "p.csv", may_lack_outcomes=True)
    pd.testing.assert_frame_equal(read, table)
    known = with_outcomes(read)
    assert known["slide_ids"].tolist() == ["t"]
    assert known["label"].dtype == np.int64


def test_an_outcome_is_known_as_a_whole(tmp_path: Path):
    arguments = {
        "case_ids": ["a", "b"], "slide_ids": [["s"], ["t"]], "time": np.array([np.nan, 3.0]),
        "event": np.array([np.nan, 1]), "bin": np.array([np.nan, np.nan]), "risk": np.zeros(2),
        "hazard": np.full((2, 2), 0.5),
    }  # fmt: skip
    table = survival_table(**arguments)
    write_predictions(tmp_path / "p.csv", table, may_lack_outcomes=True)
    known = with_outcomes(read_predictions(tmp_path / "p.csv", may_lack_outcomes=True))
    assert known["time"].tolist() == [3.0]
    assert known["bin"].isna().all()  # the edges of the bins may not be known
    for name in ("time", "event"):
        with pytest.raises(ValueError, match=f"column {name}, line 3"):
            survival_table(**arguments | {name: np.array([np.nan, np.nan])})
