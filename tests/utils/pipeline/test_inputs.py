"""What a fold needs from disk: which slides are read, the scale that goes with anchors, and what is refused."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import read_slide, write_slide
from datasets.slides.index_folder import INDEX_NAME
from tests.utils.pipeline.conftest import inputs_of
from utils.anchors.anchor_files import write_anchors, write_provenance
from utils.anchors.feature_norm import FeatureNorm, fit_zscore
from utils.errors import UserError
from utils.pipeline.inputs import (
    AnchorSource,
    bags,
    batch_reader,
    check_values,
    load_inputs,
    read_folds,
    sizes_of,
    slide_cache,
)
from utils.pipeline.record import training_facts

RANDOM = AnchorSource("random", 4, None)


def test_all_folds_of_the_directory_or_those_that_are_named(cls_cohort):
    assert [fold.index for fold in inputs_of(cls_cohort, "cls", RANDOM)] == [0, 1]
    (one,) = inputs_of(cls_cohort, "cls", RANDOM, 1)
    assert one.index == 1
    assert one.dim_in == 8
    assert set(one.paths) == set(one.fingerprints) == set(one.fold.slides())
    assert one.warnings == ()


def test_folds_with_different_numbers_of_classes(cls_cohort, tmp_path):
    for number in (0, 1):
        table = pd.read_csv(cls_cohort.splits_dir / f"fold{number}.csv", dtype=str, keep_default_na=False)
        if number == 1:
            table.loc[0, "train_label"] = "2"
        table.to_csv(tmp_path / f"fold{number}.csv", index=False)
    with pytest.raises(UserError, match="2 in fold 0, 3 in fold 1"):
        read_folds(tmp_path, None, "cls", n_bins=4, allow_patient_overlap=False)


def test_a_fold_of_slides_or_of_patients(tmp_path):
    parts = ("train", "val", "test")
    lines = [",".join(f"{part}_{name}" for part in parts for name in ("slide_id", "label", "case_id"))]
    for slide, label, patient in (("a", 0, "P1"), ("b", 1, "P2"), ("c", 0, "P1")):
        lines.append(",".join(f"{part}_{slide},{label},{part}_{patient}" for part in parts))
    (tmp_path / "fold0.csv").write_text("\n".join(lines) + "\n")

    def bags_of(**unit: str) -> list[tuple[str, ...]]:
        (fold,) = read_folds(tmp_path, None, "cls", n_bins=4, allow_patient_overlap=False, **unit)
        return [case.slide_ids for case in fold.val]

    assert bags_of() == bags_of(unit="slide") == [("val_a",), ("val_b",), ("val_c",)]
    assert bags_of(unit="patient") == [("val_a", "val_c"), ("val_b",)]
    lines[3] = lines[3].replace("val_c,0", "val_c,1")
    (tmp_path / "fold0.csv").write_text("\n".join(lines) + "\n")
    assert len(bags_of()) == 3
    with pytest.raises(UserError, match="1 of 6 patients has slides of different classes"):
        bags_of(unit="patient")


def test_the_scale_of_random_anchors_is_that_of_the_training_slides(cls_cohort):
    (inputs,) = inputs_of(cls_cohort, "cls", AnchorSource("random", 4, "zscore"), 0)
    train = [read_slide(inputs.paths[slide_id]).features for slide_id in inputs.fold.slides("train")]
    expected, norm = fit_zscore(train), inputs.anchors.feature_norm
    assert torch.equal(norm.mean, expected.mean)
    assert torch.equal(norm.std, expected.std)
    assert inputs_of(cls_cohort, "cls", RANDOM, 0)[0].anchors.feature_norm.kind == "none"


def test_a_model_without_anchors_takes_their_scale_alone(cls_cohort, tmp_path):
    write_anchors(tmp_path / "a.pt", torch.ones(5, 8).numpy())
    write_provenance(tmp_path / "a.pt", {"slides": []}, FeatureNorm("l2"))
    (with_anchors,) = inputs_of(cls_cohort, "cls", AnchorSource(str(tmp_path / "a.pt"), 5, None), 0)
    (without,) = inputs_of(cls_cohort, "cls", AnchorSource(str(tmp_path / "a.pt"), None, None), 0)
    assert with_anchors.anchors.dataset.shape == (5, 8)
    assert without.anchors.dataset is None
    assert without.anchors.feature_norm.kind == with_anchors.anchors.feature_norm.kind == "l2"
    with pytest.raises(UserError, match="5 anchors and --n_clusters is 4"):
        inputs_of(cls_cohort, "cls", AnchorSource(str(tmp_path / "a.pt"), 4, None), 0)


def test_every_value_of_the_folds_is_read_once(cls_cohort, tmp_path):
    read: list[Path] = []
    (inputs,) = inputs_of(cls_cohort, "cls", RANDOM, 0)
    seen = replace(inputs, read=lambda path: read.append(path) or inputs.read(path))
    check_values([seen], model="abmil", needs_coords=True)
    assert sorted(read) == sorted(inputs.paths.values())
    check_values([], model="abmil", needs_coords=True)  # every fold is finished

    slide_id = inputs.fold.slides("test")[0]
    write_slide(tmp_path / f"{slide_id}.pt", torch.ones(3, 8))
    bare = replace(inputs, paths={**inputs.paths, slide_id: tmp_path / f"{slide_id}.pt"})
    check_values([bare], model="abmil", needs_coords=False)
    with pytest.raises(UserError, match=f"patchgcn needs the coordinates .* 1 of 16 slides do not have .{slide_id}"):
        check_values([bare], model="patchgcn", needs_coords=True)


def test_rows_that_were_not_written_are_said_and_no_mistake(cls_cohort, tmp_path, caplog):
    (inputs,) = inputs_of(cls_cohort, "cls", RANDOM, 0)
    check_values([inputs], model="abmil", needs_coords=False)
    assert caplog.messages == []
    slide_id = inputs.fold.slides("test")[0]
    write_slide(tmp_path / f"{slide_id}.pt", torch.zeros(30, 8), torch.zeros(30, 2))
    empty = replace(inputs, paths={**inputs.paths, slide_id: tmp_path / f"{slide_id}.pt"})
    check_values([empty], model="patchgcn", needs_coords=True)
    rows, places = caplog.messages
    assert rows.startswith(
        f"warning: 1 of 16 slides repeat themselves, such as {slide_id} with 30 of 30 rows that are 0"
    )
    assert places.startswith(
        f"warning: 1 of 16 slides repeat themselves, such as {slide_id} with 30 patches at 1 position"
    )


@pytest.mark.parametrize(("model", "advice"), [("patchgcn", ", or --graph features"), ("abmil", "")])
def test_the_advice_about_coordinates_names_options_of_the_model_only(cls_cohort, tmp_path, model: str, advice: str):
    (inputs,) = inputs_of(cls_cohort, "cls", RANDOM, 0)
    slide_id = inputs.fold.slides("test")[0]
    write_slide(tmp_path / f"{slide_id}.pt", torch.ones(3, 8))
    bare = replace(inputs, paths={**inputs.paths, slide_id: tmp_path / f"{slide_id}.pt"})
    with pytest.raises(UserError) as raised:
        check_values([bare], model=model, needs_coords=True)
    assert str(raised.value).endswith(f"({slide_id}): give feature files with coords{advice}")


def test_bags_are_the_cases_of_a_part(surv_cohort):
    (inputs,) = inputs_of(surv_cohort, "surv", RANDOM, 0)
    assert [bag.case_id for bag in bags(inputs, "val").cases] == [case.case_id for case in inputs.fold.val]
    assert bags(inputs, "train", max_patches=3)[0, 7].slides[0].features.shape == (3, 8)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_with_any_number_of_threads(workers: int):
    reader = batch_reader(workers, torch.device("cpu"))
    assert list(reader.map_in_order(str, range(5))) == ["0", "1", "2", "3", "4"]
    assert not reader.pin_memory


def test_the_cache_takes_what_it_is_given():
    assert slide_cache("none", None) is None
    assert slide_cache("ram", 0.5).budget == 5e8
    assert slide_cache("ram", None).budget > 0


def test_a_second_run_over_an_unchanged_cohort_opens_no_file_before_its_first_batch(cls_cohort, tmp_path):
    """Opened, the files of the second run would be damaged ones."""
    features = tmp_path / "features"
    shutil.copytree(cls_cohort.features_dir, features, ignore=shutil.ignore_patterns(INDEX_NAME))
    for path in features.iterdir():
        os.utime(path, ns=(0, path.stat().st_mtime_ns - 10**13))

    def first_steps(verify: str = "changed") -> tuple:
        folds = read_folds(cls_cohort.splits_dir, None, "cls", n_bins=4, allow_patient_overlap=False)
        inputs = load_inputs(folds, [features], RANDOM, on_missing="error", index=FeatureIndex(verify))
        facts = training_facts(inputs)
        check_values(inputs, model="patchgcn", needs_coords=True)
        return inputs[0].fingerprints, inputs[0].dim_in, facts, sizes_of(inputs)

    first = first_steps()
    for path in features.glob("*.h5"):
        state = path.stat()
        path.write_bytes(b"\x01" * state.st_size)
        os.utime(path, ns=(0, state.st_mtime_ns))
    assert first_steps() == first
    with pytest.raises(UserError, match=r"\.h5"):
        first_steps("full")
    with pytest.raises(UserError, match=r"\.h5"):  # and what was known of that one is no longer
        first_steps()


def test_the_memory_that_slides_will_take(cls_cohort):
    (inputs,) = inputs_of(cls_cohort, "cls", RANDOM, 0)
    check_values([inputs], model="abmil", needs_coords=False)
    slides = {path: read_slide(path) for path in inputs.paths.values()}
    assert sizes_of([inputs]) == {path: s.features.nbytes + s.coords.nbytes for path, s in slides.items()}
    assert sizes_of([]) == {}
