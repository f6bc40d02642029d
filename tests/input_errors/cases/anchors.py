"""Mistakes in anchors and in fitting them."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.input_errors.case import cases_of
from tests.input_errors.cohort import CLUSTERING, FEATURES, MAIN, WIDTH, cut_file, set_json

KIND = "Anchors"
case = cases_of(KIND)
FILE, SLIDES = Path("anchors/toy_C_8_init_fold0.pt"), Path("anchors/toy_C_8_slides")
WITH_FILE = MAIN.replace("--anchors random", f"--anchors {FILE} --folds 0")
WITH_SLIDES = MAIN.replace("--anchors random", f"--anchors {SLIDES}")


@case("An anchor file that does not exist")
def no_file() -> str:
    FILE.unlink()
    return WITH_FILE


@case("An anchor file of one fold that does not exist")
def no_file_of_fold() -> str:
    return MAIN.replace("--anchors random", "--anchors 'anchors/toy_C_8_init_fold{fold}.pt'")


@case("An anchor file cut short", varies=[r"(?<=anchor file \().*(?=\):)"])
def cut() -> str:
    cut_file(FILE)
    return WITH_FILE


@case("Anchors of another number")
def other_number() -> str:
    return WITH_FILE.replace("--n_clusters 8", "--n_clusters 16")


@case("Anchors of features of another width")
def other_width() -> str:
    torch.save(torch.zeros(8, WIDTH + 1), FILE)
    return WITH_FILE


@case("NaN in the anchors")
def nan() -> str:
    torch.save(torch.full((8, WIDTH), float("nan")), FILE)
    return WITH_FILE


@case("A checkpoint in the place of anchors")
def other_content() -> str:
    torch.save({"model": torch.zeros(8, WIDTH)}, FILE)
    return WITH_FILE


@case("A damaged record of anchors", varies=[r"(?<=cannot be read \().*(?=\):)"])
def damaged_record() -> str:
    FILE.with_suffix(".json").write_text('{"feature_norm":')
    return WITH_FILE


@case("A record of an unknown scale")
def unknown_scale() -> str:
    set_json(FILE.with_suffix(".json"), feature_norm={"kind": "minmax"})
    return WITH_FILE


@case("A slide without anchors of its own")
def slide_without_anchors() -> str:
    (SLIDES / "s03.pt").unlink()
    return WITH_SLIDES


@case("A folder without anchors")
def folder_of_others() -> str:
    return MAIN.replace("--anchors random", "--anchors features")


@case("`--feature_norm` with fitted anchors")
def norm_twice() -> str:
    return f"{WITH_FILE} --feature_norm l2"


@case("Features that are not there, to fit anchors on")
def no_features() -> str:
    return CLUSTERING.replace("input_dir features", "input_dir feature")


@case("A fold file that is not there, to fit anchors on")
def no_fold_file() -> str:
    return f"{CLUSTERING} --fold_csv splits/fold9.csv"


@case("Training slides without features, to fit anchors on")
def training_slide_missing() -> str:
    FEATURES.unlink()
    return f"{CLUSTERING} --scope dataset --fold_csv splits/fold0.csv"


@case("Two fold files of one name")
def folds_of_one_name() -> str:
    return f"{CLUSTERING} --fold_csv splits/fold0.csv surv/fold0.csv"


@case("More anchors than patches")
def more_anchors_than_patches() -> str:
    return CLUSTERING.replace("n_clusters 8", "n_clusters 400") + " --scope dataset"


@case("Anchors that were fitted with other options")
def other_options() -> str:
    return f"{CLUSTERING} --scope dataset --fold_csv splits/fold0.csv --seed 7"


@case("Slide anchors that were fitted with other options")
def other_options_of_slides() -> str:
    return f"{CLUSTERING} --scope slide --seed 7"


@case("`--preset released` with options that it fixes")
def preset() -> str:
    return f"{CLUSTERING} --preset released --n_iter 50"


@case("A file in the place of the folder of anchors")
def file_as_folder() -> str:
    Path("file").write_text("")
    return CLUSTERING.replace("output_dir anchors", "output_dir file")
