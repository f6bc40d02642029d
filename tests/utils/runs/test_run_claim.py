from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from utils.errors import UserError
from utils.files.format_version import VERSION
from utils.files.locks import locked
from utils.runs import run_claim as run_claim_module
from utils.runs.continuation import ChangedSettingsError
from utils.runs.epoch_log import write_log
from utils.runs.run_claim import claim
from utils.runs.run_dir import describe_results, fold_dir


def record(**changes: Any) -> dict[str, Any]:
    """A record as `main.py` makes it; `settings__NAME` changes one of the settings."""
    settings = {"lr": 2e-4, "folds": [0, 1], "stage": "all", "device": "cpu", "anchors": "a.pt", "resume": False}
    settings |= {"unit": "slide", "monitor": "val_f1", "tie_rule": "val_loss", "optimizer": "adamw", "grad_accum": 2}
    made: dict[str, Any] = {
        "task": "cls",
        "dataset": "BLCA",
        "model": "mico",
        "formulation": "released",
        "seed": 2024,
        "folds": [0, 1],
        "warnings": [],
        "splits": {"fold0.csv": "aa", "fold1.csv": "bb"},
        "anchors": {"fold0": "xx", "fold1": "xx"},
        "features": {"fold0": "ff", "fold1": "ff"},
        "feature_norm": "none",
        "dim_in": 768,
        "n_outputs": 2,
        "protocol": {"loss of an accumulation window": "divided by grad_accum, also where the window is shorter"},
        "started": "2026-01-01T00:00:00+00:00",
    }
    for name, value in changes.items():
        if name.startswith("settings__"):
            settings[name.removeprefix("settings__")] = value
        else:
            made[name] = value
    return {**made, "settings": settings}


def start(place: Path, made: dict[str, Any], **how: Any) -> None:
    claim(place, made, **{"stage": "all", "resume": False, "overwrite": False, **how})


def written(place: Path) -> dict[str, Any]:
    content = json.loads((place / "run.json").read_text())
    assert content.pop("format") == VERSION
    return content


def tree(place: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(place).as_posix(): path.read_bytes() if path.is_file() else None for path in place.rglob("*")
    }


def put(place: Path, *names: str) -> None:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """Fold 0 is finished, fold 1 is trained."""
    place = tmp_path / "cls" / "BLCA" / "mico_released"
    start(place, record())
    put(place, "fold0/checkpoint.pt", "fold0/predictions_test.csv", "fold0/metrics.json", "fold1/checkpoint.pt")
    return place


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_empty_place_is_claimed(tmp_path: Path, resume: bool, overwrite: bool):
    """Also with --resume, which then starts from the beginning."""
    start(tmp_path / "a" / "b", record(), resume=resume, overwrite=overwrite)
    assert written(tmp_path / "a" / "b") == record()
    assert list(tree(tmp_path)) == ["a", "a/b", "a/b/run.json"]


def test_other_files_do_not_make_a_place_taken(tmp_path: Path):
    put(tmp_path, "notes.txt", "folds/x", "fold_old/x", "fold²/x")
    start(tmp_path, record())
    assert written(tmp_path) == record()


def test_results_that_are_there_are_refused_and_listed(begun: Path):
    put(begun, "fold10/log.csv")
    before = tree(begun)
    with pytest.raises(UserError) as raised:
        start(begun, record())
    assert str(raised.value) == (
        f"{begun} already holds fold0 (finished), fold1 (begun), fold10 (begun): pass --resume to go on with it, "
        "--overwrite to remove it, or another --run_name"
    )
    assert tree(begun) == before


def test_a_record_alone_is_a_result(tmp_path: Path):
    start(tmp_path, record())
    assert describe_results(tmp_path) == "run.json"
    with pytest.raises(UserError, match=r"already holds run\.json: pass --resume"):
        start(tmp_path, record())


def test_resume_merges_folds_and_warnings(tmp_path: Path):
    start(tmp_path, record(warnings=["one", "two"]))
    later = record(
        folds=[1, 2],
        warnings=["two", "three"],
        splits={"fold1.csv": "bb", "fold2.csv": "cc"},
        anchors={"fold1": "xx", "fold2": "yy"},
        started="2026-02-02T00:00:00+00:00",
        settings__folds=[1, 2],
    )
    start(tmp_path, later, resume=True)
    merged = written(tmp_path)
    assert merged["folds"] == [0, 1, 2]
    assert merged["warnings"] == ["one", "two", "three"]
    assert merged["splits"] == {"fold0.csv": "aa", "fold1.csv": "bb", "fold2.csv": "cc"}
    assert merged["anchors"] == {"fold0": "xx", "fold1": "xx", "fold2": "yy"}
    assert merged["started"] == "2026-01-01T00:00:00+00:00"
    assert merged["settings"] == record()["settings"]
    start(tmp_path, record(), resume=True)
    calls = written(tmp_path)["resumed"]
    assert [call["folds"] for call in calls] == [[1, 2], [0, 1]]
    assert calls[0]["started"] == "2026-02-02T00:00:00+00:00"
    assert calls[0]["settings"] == later["settings"]


@pytest.mark.parametrize(
    "change",
    [
        {"settings__stage": "train"},
        {"settings__device": "cuda"},
        {"settings__anchors": "b.pt"},
        {"settings__resume": 1},
    ],
)
def test_settings_that_change_no_number_may_differ(begun: Path, change: dict):
    start(begun, record(**change), resume=True)
    assert written(begun)["settings"] == record()["settings"]
    assert written(begun)["resumed"][0]["settings"] == record(**change)["settings"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings__lr": 1e-3}, r"\(lr was 0\.0002 and is 0\.001\)"),
        ({"settings__new": 1}, r"\(new was None and is 1\)"),
        ({"splits": {"fold0.csv": "aa", "fold1.csv": "cc"}}, r"\(the splits of fold1\.csv changed\)"),
        ({"anchors": {"fold0": "yy"}}, r"\(the anchors of fold0 changed\)"),
        ({"dim_in": 1024}, r"\(dim_in was 768 and is 1024\)"),
        ({"n_outputs": 3}, r"\(n_outputs was 2 and is 3\)"),
        ({"feature_norm": "zscore"}, r"\(feature_norm was none and is zscore\)"),
        ({"dim_in": 1, "settings__lr": 1.0}, r"\(lr was 0\.0002 and is 1\.0; dim_in was 768 and is 1\)"),
    ],
)
@pytest.mark.parametrize(
    "how", [{"resume": True}, {"stage": "test", "resume": True}, {"stage": "test", "overwrite": True}]
)
def test_a_run_goes_on_only_as_it_began(begun: Path, change: dict, message: str, how: dict):
    before = tree(begun)
    with pytest.raises(UserError, match=f"begun with other settings {message}: use the same ones"):
        start(begun, record(**change), **how)
    assert tree(begun) == before


def older_record() -> dict[str, Any]:
    """A record of before `--monitor`, `--tie_rule`, `--unit` and `protocol`."""
    older = record()
    del older["protocol"], older["settings"]["monitor"], older["settings"]["tie_rule"], older["settings"]["unit"]
    return older


def test_a_run_of_before_is_not_trained_on_under_other_rules(tmp_path: Path):
    """What no option brings back leads to another advice than other settings do."""
    start(tmp_path, older_record())
    window = (
        "loss of an accumulation window was divided by its cases and is divided by grad_accum, also where the window "
        "is shorter"
    )
    earlier = "was begun by an earlier version of this code, which trained otherwise"
    with pytest.raises(
        ChangedSettingsError, match=rf"{earlier} \({window}; tie_rule was first and is val_loss\): begin"
    ):
        start(tmp_path, record(), resume=True)
    with pytest.raises(ChangedSettingsError, match=rf"{earlier} \({window}\): begin it again with --on_change restart"):
        start(tmp_path, record(settings__tie_rule="first"), resume=True)
    assert written(tmp_path) == older_record()


def test_where_the_protocol_does_not_matter_only_the_options_are_compared(tmp_path: Path):
    older = older_record()
    older["settings"]["grad_accum"] = 1
    start(tmp_path, older)
    today = {"protocol": {}, "settings__grad_accum": 1}
    with pytest.raises(
        ChangedSettingsError, match=r"other settings \(tie_rule was first and is val_loss\): use the same"
    ):
        start(tmp_path, record(**today), resume=True)
    start(tmp_path, record(**today, settings__tie_rule="first"), resume=True)
    assert written(tmp_path)["protocol"] == {}


def test_a_run_of_before_had_slides_as_bags(tmp_path: Path):
    older = record()
    del older["settings"]["unit"]
    start(tmp_path, older)
    start(tmp_path, record(settings__unit="slide"), resume=True)
    with pytest.raises(ChangedSettingsError, match=r"other settings \(unit was slide and is patient\): use the same"):
        start(tmp_path, record(settings__unit="patient"), resume=True)
    put(tmp_path, "fold0/checkpoint.pt", "fold1/checkpoint.pt")
    with pytest.raises(ChangedSettingsError, match="unit was slide and is patient"):
        start(tmp_path, record(settings__unit="patient"), stage="test")


def test_the_tie_rule_is_not_compared_where_the_loss_selects(tmp_path: Path):
    start(tmp_path, record(settings__monitor="val_loss"))
    start(tmp_path, record(settings__monitor="val_loss", settings__tie_rule="first"), resume=True)
    assert written(tmp_path)["settings"]["tie_rule"] == "val_loss"


def test_a_run_of_before_may_be_tested_and_keeps_its_rules(tmp_path: Path):
    start(tmp_path, older_record())
    put(tmp_path, "fold0/checkpoint.pt", "fold1/checkpoint.pt")
    start(tmp_path, record(), stage="test")
    assert written(tmp_path)["settings"]["tie_rule"] == "first"
    assert written(tmp_path)["protocol"]["loss of an accumulation window"] == "divided by its cases"


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"task": "cls", "dataset": "D", "model": "m", "formulation": "f"}', None],
)
def test_a_run_with_a_damaged_record_does_not_go_on(begun: Path, text: str | None):
    (begun / "run.json").unlink()
    if text is not None:
        (begun / "run.json").write_text(text)
    before = tree(begun)
    with pytest.raises(UserError, match=r"run\.json[:;] .*begin the run again with --overwrite"):
        start(begun, record(), resume=True)
    assert tree(begun) == before


def test_overwrite_removes_results_and_nothing_else(begun: Path):
    put(begun, "summary.csv", "summary.json", "summary.md", "figures/a.png")
    put(begun, "notes.txt", "fold_old/x", "summary.txt", "folds/x", "mine/figures/a.png")
    put(begun.parent, "other_run/fold0/metrics.json")
    start(begun, record(settings__lr=1.0), overwrite=True)
    files = {name for name, content in tree(begun).items() if content is not None}
    assert files == {"run.json", "notes.txt", "fold_old/x", "summary.txt", "folds/x", "mine/figures/a.png"}
    assert written(begun) == record(settings__lr=1.0)
    assert (begun.parent / "other_run/fold0/metrics.json").exists()


def test_the_test_stage_needs_every_checkpoint(begun: Path, tmp_path: Path):
    (begun / "fold1" / "checkpoint.pt").unlink()
    before = tree(begun)
    for how in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(UserError, match="holds no checkpoint of fold 1 to test: train first"):
            start(begun, record(), stage="test", **how)
    assert tree(begun) == before
    with pytest.raises(UserError, match="holds no checkpoint of fold 0, 1 to test: train first"):
        start(tmp_path / "empty", record(), stage="test")
    assert not (tmp_path / "empty").exists()


def test_the_test_stage_opens_the_test_cases_once(begun: Path):
    before = tree(begun)
    with pytest.raises(UserError, match=r"the test cases of fold 0 in .* were predicted before: pass --resume"):
        start(begun, record(), stage="test")
    assert tree(begun) == before
    start(begun, record(folds=[1]), stage="test")  # fold 1 is trained and not opened
    assert written(begun)["folds"] == [0, 1]


@pytest.mark.parametrize("how", [{"resume": True}, {"overwrite": True}])
def test_the_test_stage_removes_nothing(begun: Path, how: dict):
    before = tree(begun)
    start(begun, record(), stage="test", **how)
    after = tree(begun)
    assert {**after, "run.json": None} == {**before, "run.json": None}


@pytest.mark.parametrize("blocked", ["results", "results/cls", "results/cls/run"])
def test_a_file_in_the_place_of_a_folder_is_one_sentence(tmp_path: Path, blocked: str):
    put(tmp_path, blocked)
    before = tree(tmp_path)
    place = tmp_path / "results" / "cls" / "run"
    for stage in ("all", "train"):
        with pytest.raises(UserError, match=r"cannot write to .*run \(.+\): [a-z]"):
            start(place, record(), stage=stage)
    assert tree(tmp_path) == before


def test_a_record_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(path: Path, value: dict) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(run_claim_module, "write_json", fail)
    with pytest.raises(UserError, match=r"cannot write to .* \(Permission denied\)"):
        start(tmp_path / "run", record())
    assert not list(tmp_path.iterdir())


def test_overwrite_does_not_empty_what_is_linked(begun: Path):
    elsewhere = begun.parent / "elsewhere"
    put(elsewhere, "metrics.json")
    (begun / "fold2").symlink_to(elsewhere)
    start(begun, record(folds=[0, 1, 2]), overwrite=True)
    assert list(tree(begun)) == ["run.json"]
    assert (elsewhere / "metrics.json").exists()


def test_overwrite_reaches_no_further_than_its_folds(begun: Path):
    """Fold 0 is finished: overwriting fold 1 keeps it, and takes away what was made of both."""
    put(begun, "summary.json", "figures/roc.png")
    start(begun, record(folds=[1], settings__folds=[1]), overwrite=True)
    assert set(tree(begun)) == {
        "run.json",
        "fold0",
        "fold0/checkpoint.pt",
        "fold0/predictions_test.csv",
        "fold0/metrics.json",
    }
    assert written(begun)["folds"] == [0, 1]
    assert written(begun)["resumed"][0]["folds"] == [1]


@pytest.mark.parametrize("changed", [{"settings__lr": 1.0}, {"splits": {"fold0.csv": "other", "fold1.csv": "bb"}}])
def test_overwrite_of_some_folds_does_not_mix_settings(begun: Path, changed: dict[str, Any]):
    before = tree(begun)
    with pytest.raises(UserError) as error:
        start(begun, record(folds=[1], **changed), overwrite=True)
    what = "lr was 0.0002 and is 1.0" if "settings__lr" in changed else "the splits of fold0.csv changed"
    assert str(error.value) == (
        f"--overwrite of fold 1 would leave fold 0 of {begun}, made with other settings ({what}): overwrite all of "
        "them by leaving out --folds, use the same settings, or give another --run_name"
    )
    assert tree(begun) == before
    start(begun, record(**changed), overwrite=True)  # all folds


def test_overwrite_of_some_folds_does_not_raise_the_epochs_of_the_others(tmp_path: Path):
    start(tmp_path, record(settings__epochs=2, settings__patience=9))
    put(tmp_path, "fold0/log.csv", "fold1/log.csv")
    with pytest.raises(UserError, match="epochs was 2 and is 7"):
        start(tmp_path, record(folds=[1], settings__epochs=7, settings__patience=9), overwrite=True)


def test_a_fold_that_another_process_is_working_on_stays(tmp_path: Path):
    """It need not have a folder yet."""
    start(tmp_path, record(folds=[0]))
    with locked(fold_dir(tmp_path, 0)):
        with pytest.raises(UserError, match=r"--overwrite of fold 1 would leave fold 0 .*\(lr was 0\.0002 and is 1\.0"):
            start(tmp_path, record(folds=[1], settings__lr=1.0), overwrite=True)
        start(tmp_path, record(folds=[1]), overwrite=True)
    assert written(tmp_path)["folds"] == [0, 1]
    start(tmp_path, record(folds=[1], settings__lr=1.0), overwrite=True)  # nothing of fold 0 is there
    assert written(tmp_path) == record(folds=[1], settings__lr=1.0)


def test_processes_that_share_a_run_all_come_into_its_record(tmp_path: Path):
    start(tmp_path, record(folds=[10], splits={"fold10.csv": "10"}))
    with ThreadPoolExecutor(4) as pool:
        shares = [record(folds=[k], splits={f"fold{k}.csv": str(k)}) for k in (9, *range(1, 9))]
        list(pool.map(lambda share: start(tmp_path, share, resume=True), shares))
    assert written(tmp_path)["folds"] == list(range(1, 11))
    assert list(written(tmp_path)["splits"].items()) == [(f"fold{k}.csv", str(k)) for k in range(1, 11)]
    assert len(written(tmp_path)["resumed"]) == 9


CLAIM = """
import json, sys
from pathlib import Path
from utils.runs.run_claim import claim
place, k, n_processes, n_runs = Path(sys.argv[1]), *map(int, sys.argv[2:])
record = json.loads((place / "record.json").read_text())
record |= {"folds": [k], "splits": {f"fold{k}.csv": "s"}, "anchors": {f"fold{k}": "a"}, "features": {f"fold{k}": "f"}}
for run in range(n_runs):
    (place / f"ready{run}_{k}").touch()
    while len(list(place.glob(f"ready{run}_*"))) < n_processes:
        pass
    claim(place / f"run{run}", record, stage="all", resume=True, overwrite=False)
"""


@pytest.mark.slow
def test_processes_that_claim_a_run_at_the_same_moment_lose_none_of_its_folds(tmp_path: Path):
    """Without the lock on `run.json`, 10 of 10 runs lost some."""
    (tmp_path / "record.json").write_text(json.dumps(record()))
    words = [sys.executable, "-c", CLAIM, str(tmp_path)]
    processes = [subprocess.Popen([*words, str(k), "4", "10"], cwd=Path(__file__).parents[3]) for k in range(4)]
    assert [process.wait(300) for process in processes] == [0] * 4
    for run in range(10):
        content = written(tmp_path / f"run{run}")
        assert content["folds"] == [0, 1, 2, 3]
        assert list(content["features"]) == [f"fold{k}" for k in range(4)]
        assert len(content["resumed"]) == 3


def test_an_option_that_is_younger_than_the_run_does_not_keep_it_from_going_on(tmp_path: Path):
    start(tmp_path, record())
    settings = {**record()["settings"], "n_stages": 3, "alpha_surv": 0.0}  # a model's option, and one of main.py
    now = record(model_defaults={"n_stages": 3})
    start(tmp_path, now | {"settings": settings}, resume=True)
    for name, value in (("n_stages", 2), ("alpha_surv", 0.5)):
        with pytest.raises(ChangedSettingsError, match=f"{name} was "):
            start(tmp_path, now | {"settings": {**settings, name: value}}, resume=True)


def test_results_that_cannot_be_removed_are_one_sentence(begun: Path):
    (begun / "summary.csv").mkdir()
    with pytest.raises(UserError, match="cannot write to"):
        start(begun, record(), overwrite=True)


def test_a_name_that_is_too_long_is_one_sentence(tmp_path: Path):
    with pytest.raises(UserError, match=r"cannot write to .*name too long"):
        start(tmp_path / ("x" * 300), record())


def test_the_folder_of_a_fold():
    assert fold_dir(Path("run"), 12) == Path("run/fold12")


def epochs(number: int, **more: Any) -> dict[str, Any]:
    return record(**{"settings__epochs": number, "settings__patience": 2, **more})


def trained(place: Path, fold: int, scores: list[float]) -> None:
    """A tested fold, whose validation scores after each epoch were these."""
    rows = [{"epoch": k, "train_loss": 1.0, "val_loss": 1.0, "val_f1": f1, "best": 0} for k, f1 in enumerate(scores, 1)]
    write_log(place / f"fold{fold}" / "log.csv", rows)
    names = (
        "checkpoint.pt",
        "last.pt",
        "predictions_val.csv",
        "predictions_test.csv",
        "metrics.json",
        "explain/s1/a.png",
    )
    put(place, *(f"fold{fold}/{name}" for name in names))


@pytest.mark.parametrize("stage", ["all", "train"])
def test_more_epochs_reopen_the_folds_that_ran_out_of_them(tmp_path: Path, caplog, stage: str):
    start(tmp_path, epochs(3))
    trained(tmp_path, 0, [0.1, 0.2, 0.3])
    trained(tmp_path, 1, [0.5, 0.2, 0.3])  # two epochs without a better score: stopped early
    put(tmp_path, "summary.md", "summary.json", "report.html", "figures/roc.png", "notes.txt")
    caplog.set_level("INFO")
    start(tmp_path, epochs(9), resume=True, stage=stage)
    assert caplog.messages == [
        "--epochs was 3 and is 9: going on after epoch 3: fold 0; stopped early after epoch 3, so finished: fold 1"
    ]
    kept = {path for path, content in tree(tmp_path).items() if content is not None}
    of_fold_1 = "explain/s1/a.png", "log.csv", "predictions_test.csv", "predictions_val.csv", "metrics.json"
    assert kept == {
        *(f"fold0/{name}" for name in ("checkpoint.pt", "last.pt", "log.csv")),
        *(f"fold1/{name}" for name in ("checkpoint.pt", "last.pt", *of_fold_1)),
        *("run.json", "notes.txt"),
    }
    assert written(tmp_path)["settings"] == epochs(9)["settings"]
    assert [call["epochs_raised_from"] for call in written(tmp_path)["resumed"]] == [3]


def test_a_raise_that_was_interrupted_removes_what_was_left(tmp_path: Path):
    """run.json has the new number of epochs, and one fold still the predictions of the old one."""
    start(tmp_path, epochs(9))
    trained(tmp_path, 0, [0.1, 0.2, 0.3])
    start(tmp_path, epochs(9), resume=True)
    assert not (tmp_path / "fold0" / "predictions_test.csv").exists()
    assert "epochs_raised_from" not in written(tmp_path)["resumed"][0]


def test_fewer_epochs_are_refused(tmp_path: Path):
    start(tmp_path, epochs(9))
    trained(tmp_path, 0, [0.1, 0.2, 0.3])
    before = tree(tmp_path)
    with pytest.raises(ChangedSettingsError, match=r"\(epochs was 9 and is 3\)"):
        start(tmp_path, epochs(3), resume=True)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("stage", ["test", "explain"])
def test_what_does_not_train_does_not_raise_the_epochs(tmp_path: Path, stage: str):
    start(tmp_path, epochs(3))
    for fold in (0, 1):
        trained(tmp_path, fold, [0.1, 0.2, 0.3])
    before = tree(tmp_path)
    with pytest.raises(ChangedSettingsError, match=r"\(epochs was 3 and is 9\)"):
        start(tmp_path, epochs(9), resume=True, stage=stage)
    assert tree(tmp_path) == before


def test_other_settings_do_not_change_together_with_the_epochs(tmp_path: Path):
    start(tmp_path, epochs(3))
    with pytest.raises(ChangedSettingsError, match=r"\(lr was 0\.0002 and is 1\.0\)"):
        start(tmp_path, epochs(9, settings__lr=1.0), resume=True)


def test_predictions_of_other_cohorts_stay_and_are_said_to_be_of_earlier_models(tmp_path: Path, caplog):
    run_dir = tmp_path / "run"
    start(run_dir, record())
    (run_dir / "predict" / "there").mkdir(parents=True)
    (run_dir / "predict" / "there" / "predict.json").write_text("{}")
    start(run_dir, record(), overwrite=True)
    assert "the predictions of there in" in caplog.text
    assert (run_dir / "predict" / "there" / "predict.json").exists()
