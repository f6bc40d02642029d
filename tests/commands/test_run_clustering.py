"""run_clustering.py: what it writes, where the anchors come from, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import faiss
import numpy as np
import pytest
import torch

from datasets.folds.splits import read_fold
from datasets.slides.features import read_slide, write_slide
from tests.commands.conftest import cls_arguments, files_in
from utils.anchors.anchor_files import write_anchors
from utils.anchors.kmeans import kmeans
from utils.pipeline import slide_anchors


def write_features(directory: Path, sizes: dict[str, int], dim: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    features = {slide_id: rng.normal(size=(size, dim)).astype(np.float32) for slide_id, size in sizes.items()}
    for slide_id, rows in features.items():
        write_slide(directory / f"{slide_id}.pt", torch.from_numpy(rows))
    return features


def arguments(tmp_path: Path, *more: object) -> list[object]:
    places = ["--input_dir", tmp_path / "features", "--output_dir", tmp_path / "out"]
    return ["--dataset_name", "toy", "--n_clusters", 4, *places, *more]


def refused(ended, *words: str) -> None:
    assert ended.status == 2, ended.out + ended.err
    (line,) = ended.err.strip().splitlines()
    assert line.startswith("run_clustering.py: error: ")
    for word in words:
        assert word in line, line


def test_both_scopes_write_plain_tensors_with_a_record(run_clustering, tmp_path):
    features = write_features(tmp_path / "features", {"s1": 30, "s2": 20, "s3": 4, "s4": 3})
    ended = run_clustering(*arguments(tmp_path)).check()
    assert "fitting on 4 of 4 slides" in ended.out
    out = tmp_path / "out"
    slides = [f"toy_C_4_slides/{slide_id}.pt" for slide_id in features]
    assert files_in(out) == sorted(["toy_C_4_init.json", "toy_C_4_init.pt", "toy_C_4_slides.json", *slides])
    assert "test slides included" in ended.out

    anchors = torch.load(out / "toy_C_4_init.pt", weights_only=True)
    pooled = np.concatenate(list(features.values()))
    expected = kmeans(pooled, 4, seed=1234)
    assert torch.equal(anchors, torch.from_numpy(expected.centroids))
    record = json.loads((out / "toy_C_4_init.json").read_text())
    assert record["inertia"] == pytest.approx(expected.inertia)
    assert record["slides"] == ["s1", "s2", "s3", "s4"]
    assert (record["K"], record["D"], record["points_used"], record["points_in_slides"]) == (4, 6, 57, 57)
    assert record["smallest_cluster"] == expected.sizes.min()
    assert record["feature_norm"] == {"kind": "none"}
    assert "faiss-cpu" in record["versions"] or "faiss-gpu" in record["versions"]

    one = torch.load(out / "toy_C_4_slides" / "s1.pt", weights_only=True)
    assert torch.equal(one, torch.from_numpy(kmeans(features["s1"], 4, seed=1234).centroids))
    short = torch.load(out / "toy_C_4_slides" / "s4.pt", weights_only=True)
    assert torch.equal(short, torch.from_numpy(features["s4"][[0, 1, 2, 0]]))  # repeated in order
    assert "s4 has fewer patches (3) than anchors" in ended.out


def test_a_fold_fits_on_its_training_slides_only(cls_cohort, run_clustering, tmp_path):
    places = ["--input_dir", cls_cohort.features_dir, "--output_dir", tmp_path]
    fold_csv = cls_cohort.splits_dir / "fold1.csv"
    names = ["--dataset_name", "toy", "--n_clusters", 4]
    ended = run_clustering(*names, *places, "--fold_csv", fold_csv, "--scope", "dataset").check()
    assert "test slides" not in ended.out
    train = sorted(slide_id for case in read_fold(fold_csv, "cls").train for slide_id in case.slide_ids)
    record = json.loads((tmp_path / "toy_C_4_init_fold1.json").read_text())
    assert record["slides"] == train
    points = np.concatenate([read_slide(cls_cohort.features_dir / f"{s}.h5").features.numpy() for s in train])
    anchors = torch.load(tmp_path / "toy_C_4_init_fold1.pt", weights_only=True)
    assert torch.equal(anchors, torch.from_numpy(kmeans(points, 4, seed=1234).centroids))


def test_released_preset_is_faiss_on_the_first_twenty_files(run_clustering, tmp_path):
    """21 slides; the last by name is left out, and faiss draws its own 256 points per centroid."""
    features = write_features(tmp_path / "features", {f"s{i:02d}": 60 for i in range(21)})
    run_clustering(*arguments(tmp_path, "--preset", "released", "--scope", "dataset")).check()
    pooled = np.concatenate([features[f"s{i:02d}"] for i in range(20)])
    assert len(pooled) > 4 * 256
    plain = faiss.Kmeans(6, 4, niter=20, seed=1234)
    plain.train(pooled)
    anchors = torch.load(tmp_path / "out" / "toy_C_4_init.pt", weights_only=True)
    assert torch.equal(anchors, torch.from_numpy(plain.centroids))


def test_points_are_sampled_evenly(run_clustering, tmp_path):
    write_features(tmp_path / "features", {"s1": 500, "s2": 50, "s3": 4})
    run_clustering(*arguments(tmp_path, "--scope", "dataset", "--max_points", 64)).check()
    record = json.loads((tmp_path / "out" / "toy_C_4_init.json").read_text())
    assert (record["points_used"], record["points_in_slides"]) == (64, 554)


def test_more_points_than_memory_allows_are_not_sampled(run_clustering, tmp_path, monkeypatch):
    """Room for 40 points of width 6."""
    write_features(tmp_path / "features", {"s1": 50, "s2": 50})
    monkeypatch.setattr("utils.anchors.sampling.POINT_BYTES", 40 * 6 * 4 + 5)
    ended = run_clustering(*arguments(tmp_path, "--max_points", 64)).check()
    assert "--max_points 64 lowered to 40: more patches of width 6" in ended.out
    assert json.loads((tmp_path / "out" / "toy_C_4_init.json").read_text())["points_used"] == 40
    quiet = [("--scope", "slide"), ("--max_points", 40), ("--n_files", 1, "--max_points", 40)]
    for number, options in enumerate(quiet):
        places = ["--output_dir", tmp_path / str(number)]
        assert "lowered" not in run_clustering(*arguments(tmp_path, *options), *places).check().out


def test_anchors_do_not_depend_on_the_number_of_workers(run_clustering, tmp_path):
    write_features(tmp_path / "features", {f"s{i}": 30 + i for i in range(9)})
    for workers in (1, 3):
        places = ["--output_dir", tmp_path / str(workers)]
        run_clustering(*arguments(tmp_path, "--max_points", 50, "--workers", workers), *places).check()
    for name in files_in(tmp_path / "1"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes(), name


def test_zscore_is_recorded_and_applied_by_main(cls_cohort, run_clustering, run_main, tmp_path):
    """Z-scored anchors on z-scored features, and the same on files that were scaled by hand: equal runs."""
    names, norm = ["--dataset_name", "toy", "--n_clusters", 8], ["--feature_norm", "zscore"]
    fold_csv = cls_cohort.splits_dir / "fold0.csv"
    places = ["--input_dir", cls_cohort.features_dir, "--output_dir", tmp_path / "a"]
    run_clustering(*names, *places, *norm, "--fold_csv", fold_csv).check()
    assert (tmp_path / "a" / "toy_C_8_slides_fold0").is_dir()  # the scale is that of the fold

    train = [slide_id for case in read_fold(fold_csv, "cls").train for slide_id in case.slide_ids]
    rows = np.concatenate([read_slide(cls_cohort.features_dir / f"{s}.h5").features.double().numpy() for s in train])
    record = json.loads((tmp_path / "a" / "toy_C_8_init_fold0.json").read_text())
    np.testing.assert_allclose(record["feature_norm"]["mean"], rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(record["feature_norm"]["std"], rows.std(axis=0), rtol=1e-5)

    for path in cls_cohort.features_dir.glob("*.h5"):
        scaled = (read_slide(path).features.double().numpy() - rows.mean(axis=0)) / rows.std(axis=0)
        write_slide(tmp_path / "scaled" / path.name, torch.from_numpy(scaled).float(), read_slide(path).coords)
    places = ["--input_dir", tmp_path / "scaled", "--output_dir", tmp_path / "b"]
    run_clustering(*names, *places, "--fold_csv", fold_csv).check()

    tables = []
    for side, features in (("a", cls_cohort.features_dir), ("b", tmp_path / "scaled")):
        anchors = tmp_path / side / "toy_C_8_init_fold{fold}.pt"
        options = ["--anchors", anchors, "--folds", "0", "--features_dir", features]
        run_main(*cls_arguments(cls_cohort, tmp_path / side / "r"), *options).check()
        text = (tmp_path / side / "r/cls/toy/mico_released/fold0/predictions_test.csv").read_text()
        tables.append([[float(cell) for cell in line.split(",")[4:]] for line in text.splitlines()[1:]])
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-4)


def test_slide_anchors_reach_the_model(cls_cohort, run_clustering, run_main, tmp_path):
    places = ["--input_dir", cls_cohort.features_dir, "--output_dir", tmp_path]
    run_clustering("--dataset_name", "toy", "--n_clusters", 8, *places, "--scope", "slide").check()
    directory = tmp_path / "toy_C_8_slides"
    ended = run_main(*cls_arguments(cls_cohort, tmp_path / "r"), "--anchors", directory, "--folds", "0").check()
    assert "macro F1" in ended.out
    (directory / f"{cls_cohort.cases[0].slide_ids[0]}.pt").unlink()
    ended = run_main(*cls_arguments(cls_cohort, tmp_path / "r2"), "--anchors", directory, "--folds", "0")
    assert ended.status == 2
    assert f"{cls_cohort.cases[0].slide_ids[0]}.pt" in ended.err
    assert not (tmp_path / "r2").exists()


def test_anchors_that_saw_test_slides_are_a_warning_in_the_summary(cls_cohort, run_clustering, run_main, tmp_path):
    places = ["--input_dir", cls_cohort.features_dir, "--output_dir", tmp_path]
    run_clustering("--dataset_name", "toy", "--n_clusters", 8, *places, "--scope", "dataset").check()
    options = ["--anchors", tmp_path / "toy_C_8_init.pt", "--folds", "0"]
    run_main(*cls_arguments(cls_cohort, tmp_path / "r"), *options).check()
    summary = json.loads((tmp_path / "r/cls/toy/mico_released/summary.json").read_text())
    assert any("of its test slides" in warning for warning in summary["warnings"])


def test_a_second_run_keeps_what_is_done(run_clustering, tmp_path):
    write_features(tmp_path / "features", {"s1": 30, "s2": 20})
    run_clustering(*arguments(tmp_path)).check()
    (tmp_path / "out" / "toy_C_4_slides" / "s2.pt").unlink()
    times = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in files_in(tmp_path / "out")}
    ended = run_clustering(*arguments(tmp_path)).check()
    assert "kept" in ended.out
    assert "1 of 2 slides is done" in ended.out
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in times} == times
    assert (tmp_path / "out" / "toy_C_4_slides" / "s2.pt").exists()

    refused(run_clustering(*arguments(tmp_path, "--seed", 7)), "other options", "--overwrite")
    run_clustering(*arguments(tmp_path, "--seed", 7, "--overwrite")).check()
    assert json.loads((tmp_path / "out" / "toy_C_4_init.json").read_text())["seed"] == 7


def test_duplicate_centroids_are_reported(run_clustering, tmp_path):
    write_slide(tmp_path / "features" / "s.pt", torch.ones(20, 6))
    ended = run_clustering(*arguments(tmp_path, "--scope", "dataset", "--n_init", 1)).check()
    record = json.loads((tmp_path / "out" / "toy_C_4_init.json").read_text())
    assert record["inertia"] == pytest.approx(0, abs=1e-3)
    if record["duplicate_centroids"]:
        assert "duplicate" in ended.out


def test_no_feature_file(run_clustering, tmp_path):
    (tmp_path / "features").mkdir()
    refused(run_clustering(*arguments(tmp_path)), "no feature file", str(tmp_path / "features"))
    assert not (tmp_path / "out").exists()


def test_input_directory_that_does_not_exist(run_clustering, tmp_path):
    refused(run_clustering(*arguments(tmp_path)), str(tmp_path / "features"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_bytes(b""), ()),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), ()),
        (lambda path: torch.save(torch.zeros(0, 6), path), ("no features",)),
        (lambda path: torch.save(torch.zeros(5, 7), path), ("width 7", "6")),
        (lambda path: torch.save(torch.full((5, 6), float("nan")), path), ("5 of 5 rows", "NaN")),
        (lambda path: torch.save(torch.full((5, 6), float("inf")), path), ("5 of 5 rows", "infinity")),
    ],
    ids=["empty file", "cut off", "no patches", "other width", "NaN", "infinity"],
)
@pytest.mark.parametrize("scope", ["dataset", "slide"])
def test_damaged_files_are_named(run_clustering, tmp_path, damage, words, scope):
    write_features(tmp_path / "features", {"s1": 10, "s2": 10, "s3": 10})
    damage(tmp_path / "features" / "s2.pt")
    refused(run_clustering(*arguments(tmp_path, "--scope", scope)), str(tmp_path / "features" / "s2.pt"), *words)
    assert not (tmp_path / "out" / "toy_C_4_init.pt").exists()


def test_fewer_points_than_anchors(run_clustering, tmp_path):
    write_features(tmp_path / "features", {"s1": 2, "s2": 1})
    refused(run_clustering(*arguments(tmp_path)), "3 patches for 4 anchors")
    assert files_in(tmp_path / "out") == []


def test_gpu_without_a_gpu_says_how_to_get_one(run_clustering, tmp_path, monkeypatch):
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0)
    write_features(tmp_path / "features", {"s1": 10})
    refused(run_clustering(*arguments(tmp_path, "--gpu")), "--gpu", "script/setup.sh")


def test_a_training_slide_without_features(cls_cohort, run_clustering, tmp_path):
    fold_csv = cls_cohort.splits_dir / "fold0.csv"
    slide_id = read_fold(fold_csv, "cls").train[0].slide_ids[0]
    write_features(tmp_path / "features", {"other": 10})
    refused(run_clustering(*arguments(tmp_path, "--fold_csv", fold_csv)), slide_id, str(fold_csv))


def test_unknown_option_and_unwritable_place(run_clustering, tmp_path):
    write_features(tmp_path / "features", {"s1": 10})
    refused(run_clustering(*arguments(tmp_path, "--clusters", 3)), "unrecognized arguments: --clusters")
    (tmp_path / "out").write_text("")
    sentence = f"cannot write to {tmp_path / 'out'} (File exists): a file has the name of a folder that is needed"
    refused(run_clustering(*arguments(tmp_path)), sentence)
    assert (tmp_path / "out").read_text() == ""


@pytest.mark.parametrize("norm", ["none", "zscore"])
def test_several_folds_at_once_equal_one_after_the_other(cls_cohort, run_clustering, tmp_path, norm):
    folds = [cls_cohort.splits_dir / "fold0.csv", cls_cohort.splits_dir / "fold1.csv"]
    names = ["--dataset_name", "toy", "--n_clusters", 4, "--feature_norm", norm]
    places = ["--input_dir", cls_cohort.features_dir, "--output_dir"]
    run_clustering(*names, *places, tmp_path / "a", "--fold_csv", *folds).check()
    for fold in folds:
        run_clustering(*names, *places, tmp_path / "b", "--fold_csv", fold).check()
    written = files_in(tmp_path / "a")
    assert files_in(tmp_path / "b") == written
    assert any("slides_fold1" in name for name in written) == (norm == "zscore")
    for name in written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    twice = run_clustering(*names, *places, tmp_path / "c", "--fold_csv", folds[0], folds[0])
    refused(twice, "--fold_csv of fold0, fold0")


def test_missing_training_slides_may_be_left_out(cls_cohort, run_clustering, tmp_path):
    fold_csv = cls_cohort.splits_dir / "fold0.csv"
    train = [slide_id for case in read_fold(fold_csv, "cls").train for slide_id in case.slide_ids]
    for slide_id in train[1:]:
        write_slide(tmp_path / "features" / f"{slide_id}.pt", torch.randn(9, 6))
    options = arguments(tmp_path, "--fold_csv", fold_csv, "--scope", "dataset")
    refused(run_clustering(*options), train[0], "--on_missing drop")
    ended = run_clustering(*options, "--on_missing", "drop", "--n_files", "all").check()
    assert f"1 of {len(train)} training slides" in ended.out
    assert train[0] in ended.out
    assert json.loads((tmp_path / "out/toy_C_4_init_fold0.json").read_text())["slides"] == sorted(train[1:])


def test_anchors_of_other_features_are_not_kept(run_clustering, tmp_path):
    """The same slides and options, but features of another encoder of the same width."""
    features = write_features(tmp_path / "features", {"s1": 30, "s2": 20})
    run_clustering(*arguments(tmp_path)).check()
    write_slide(tmp_path / "features" / "s2.pt", torch.from_numpy(features["s2"]) * 7 + 3)
    refused(run_clustering(*arguments(tmp_path, "--scope", "dataset")), "features", "--overwrite")
    refused(run_clustering(*arguments(tmp_path, "--scope", "slide")), "1 slide (s2)", "--overwrite")
    run_clustering(*arguments(tmp_path, "--overwrite")).check()
    run_clustering(*arguments(tmp_path)).check()


def test_a_slide_that_is_new_joins_the_slide_anchors(run_clustering, tmp_path):
    write_features(tmp_path / "features", {"s1": 30})
    run_clustering(*arguments(tmp_path, "--scope", "slide")).check()
    write_slide(tmp_path / "features" / "s2.pt", torch.randn(9, 6))
    run_clustering(*arguments(tmp_path, "--scope", "slide")).check()
    assert set(json.loads((tmp_path / "out/toy_C_4_slides.json").read_text())["features"]) == {"s1", "s2"}


def test_overwriting_that_stops_half_way_mixes_nothing(run_clustering, tmp_path, monkeypatch):
    """Old anchors of 3 slides, --overwrite with another seed stopped at the second slide, then the same without it."""
    write_features(tmp_path / "features", {"s1": 40, "s2": 40, "s3": 40})
    run_clustering(*arguments(tmp_path, "--scope", "slide")).check()
    new = arguments(tmp_path, "--scope", "slide", "--seed", 7, "--workers", 1)

    def stopping(path: Path, centroids: np.ndarray) -> None:
        if path.name == "s2.pt":
            raise KeyboardInterrupt
        write_anchors(path, centroids)

    with monkeypatch.context() as patched:
        patched.setattr(slide_anchors, "write_anchors", stopping)
        assert run_clustering(*new, "--overwrite").status == 130
    run_clustering(*new).check()
    for slide_id in ("s1", "s2", "s3"):
        points = read_slide(tmp_path / "features" / f"{slide_id}.pt").features.numpy()
        anchors = torch.load(tmp_path / "out" / "toy_C_4_slides" / f"{slide_id}.pt", weights_only=True)
        assert torch.equal(anchors, torch.from_numpy(kmeans(points, 4, seed=7).centroids)), slide_id


@pytest.mark.parametrize("scope", ["dataset", "slide"])
def test_anchors_of_unknown_origin_are_neither_kept_nor_replaced(run_clustering, tmp_path, scope):
    write_features(tmp_path / "features", {"s1": 40})
    name = "toy_C_4_init.pt" if scope == "dataset" else "toy_C_4_slides/s1.pt"
    write_anchors(tmp_path / "out" / name, np.ones((4, 6)))
    before = (tmp_path / "out" / name).read_bytes()
    refused(run_clustering(*arguments(tmp_path, "--scope", scope)), "without a record", "--overwrite")
    assert (tmp_path / "out" / name).read_bytes() == before
    run_clustering(*arguments(tmp_path, "--scope", scope, "--overwrite")).check()
    assert (tmp_path / "out" / name).read_bytes() != before


def test_patients_in_two_parts_are_refused_before_any_file_is_read(run_clustering, tmp_path):
    """`main.py` would refuse these folds: that is said before anchors are fitted for them."""
    write_features(tmp_path / "features", {"s1": 30, "s2": 20, "s3": 10})
    fold_csv = tmp_path / "fold0.csv"
    columns = [f"{part}_{name}" for part in ("train", "val", "test") for name in ("slide_id", "label", "case_id")]
    fold_csv.write_text(",".join(columns) + "\ns1,0,P1,s2,1,P2,s3,0,P1\n", encoding="utf-8")
    given = arguments(tmp_path, "--fold_csv", fold_csv, "--scope", "dataset")
    refused(run_clustering(*given), "1 in train and test (P1)", "--allow_patient_overlap")
    assert not (tmp_path / "out").exists()
    ended = run_clustering(*given, "--allow_patient_overlap").check()
    assert "warning: patients are in two parts" in ended.out + ended.err
    assert (tmp_path / "out" / "toy_C_4_init_fold0.pt").exists()
