"""Mistakes in feature files."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import torch
from safetensors.torch import save_file

from datasets.slides.features import write_slide
from tests.input_errors.case import cases_of
from tests.input_errors.cohort import CLUSTERING, FEATURES, MAIN, N_PATCHES, WIDTH, as_pt, cut_file, random_numbers

KIND = "Features"
case = cases_of(KIND)


@case("A directory of features does not exist")
def no_directory() -> str:
    return MAIN.replace("features_dir features", "features_dir feature")


@case("A directory holds no feature file")
def empty_directory() -> str:
    Path("empty").mkdir()
    return MAIN.replace("features_dir features", "features_dir empty")


@case("The directory above the features is given")
def the_directory_above() -> str:
    Path("data").mkdir()
    Path("features").rename("data/features_uni")
    Path("data/features_conch").mkdir()
    shutil.copy("data/features_uni/s01.h5", "data/features_conch/s01.h5")
    return MAIN.replace("features_dir features", "features_dir data")


@case("A slide of the split has no feature file")
def missing_slide() -> str:
    FEATURES.unlink()
    return MAIN


@case("A slide of the split has a feature file of another spelling")
def lost_zeros() -> str:
    FEATURES.rename("features/s3.h5")
    return MAIN


@case("A slide is in two files")
def slide_twice() -> str:
    shutil.copy(FEATURES, "features/s03.svs.h5")
    return MAIN


@case("An empty file")
def empty_file() -> str:
    FEATURES.write_bytes(b"")
    return MAIN


@case("A `.h5` file cut short", varies=[r"(?<=HDF5 \().*(?=\):)"])
def cut_h5() -> str:
    cut_file(FEATURES)
    return MAIN


@case("A `.h5` file that is none", varies=[r"(?<=HDF5 \().*(?=\):)"])
def no_h5() -> str:
    FEATURES.write_text("<html>404</html>")
    return MAIN


@case("A `.pt` file cut short", varies=[r"(?<= \().*(?=\):)"])
def cut_pt() -> str:
    as_pt(torch.zeros(N_PATCHES, WIDTH))
    cut_file(Path("features/s03.pt"))
    return MAIN


@case("A `.pt` file that `torch.save` did not write")
def no_pt() -> str:
    as_pt(torch.zeros(1))
    Path("features/s03.pt").write_text("slide,feature\ns03,0.5\n")
    return MAIN


@case("Other Python objects in a `.pt` file")
def objects() -> str:
    as_pt({"features": Path("x")})
    return MAIN


@case("A bare pickle of another object than an array")
def pickled_object() -> str:
    FEATURES.unlink()
    Path("features/s03.pt").write_bytes(pickle.dumps(Path("x")))
    return MAIN


@case("A dict without `features`")
def other_keys() -> str:
    as_pt({"embeddings": torch.zeros(N_PATCHES, WIDTH), "positions": torch.zeros(N_PATCHES, 2)})
    return MAIN


@case("A sparse tensor")
def sparse() -> str:
    as_pt(torch.eye(WIDTH).to_sparse())
    return MAIN


@case("A tensor that repeats one number without end")
def expanded() -> str:
    as_pt(torch.zeros(1).expand(10**15, WIDTH))
    return MAIN


@case("Integers in the place of features")
def integers() -> str:
    as_pt(torch.ones(N_PATCHES, WIDTH, dtype=torch.int64))
    return MAIN


@case("Features of more dimensions")
def four_dimensions() -> str:
    as_pt(torch.zeros(2, 3, N_PATCHES, WIDTH))
    return MAIN


@case("The embedding of a whole slide")
def slide_embedding() -> str:
    as_pt(torch.zeros(WIDTH))
    return MAIN


@case("TRIDENT's embeddings of whole slides")
def trident_slides() -> str:
    FEATURES.unlink()
    with h5py.File(FEATURES, "w") as file:
        file.create_dataset("features", data=np.zeros(WIDTH, dtype=np.float32))
    return MAIN


@case("No patch in a slide")
def no_patch() -> str:
    as_pt(torch.zeros(0, WIDTH))
    return MAIN


@case("NaN in the features")
def nan() -> str:
    features = torch.zeros(N_PATCHES, WIDTH)
    features[:3, 5] = float("nan")
    as_pt(features)
    return MAIN


@case("Features of two encoders")
def two_widths() -> str:
    as_pt(torch.zeros(N_PATCHES, WIDTH + 8))
    return MAIN


@case("A `.h5` file without `features`")
def h5_without_features() -> str:
    FEATURES.unlink()
    with h5py.File(FEATURES, "w") as file:
        file.create_dataset("embedding", data=random_numbers(N_PATCHES, WIDTH))
    return MAIN


@case("`features` is a group")
def h5_group() -> str:
    FEATURES.unlink()
    with h5py.File(FEATURES, "w") as file:
        file.create_group("features")
    return MAIN


@case("`features` that were never written")
def never_written() -> str:
    FEATURES.unlink()
    with h5py.File(FEATURES, "w") as file:
        file.create_dataset("features", shape=(N_PATCHES, WIDTH), dtype="f4", chunks=(10, WIDTH))[:10] = 1
    return MAIN


@case("`features` that lie in another file")
def external_link() -> str:
    FEATURES.rename("other.h5")
    with h5py.File(FEATURES, "w") as file:
        file["features"] = h5py.ExternalLink("../other.h5", "features")
    return MAIN


@case("Coordinates of another number than the patches")
def other_coords() -> str:
    as_pt({"features": torch.zeros(N_PATCHES, WIDTH), "coords": torch.zeros(N_PATCHES - 2, 2)})
    return f"{MAIN} --model patchgcn".replace("--n_clusters 8 ", "")


@case("Coordinates that are text")
def text_coords() -> str:
    FEATURES.unlink()
    with h5py.File(FEATURES, "w") as file:
        file.create_dataset("features", data=random_numbers(N_PATCHES, WIDTH))
        file.create_dataset("coords", data=np.array([[b"1", b"2"]] * N_PATCHES))
    return f"{MAIN} --model patchgcn".replace("--n_clusters 8 ", "")


@case("Coordinates that are NaN")
def nan_coords() -> str:
    as_pt({"features": torch.zeros(N_PATCHES, WIDTH), "coords": torch.full((N_PATCHES, 2), float("nan"))})
    return f"{MAIN} --model patchgcn".replace("--n_clusters 8 ", "")


@case("A graph model, and slides without coordinates")
def no_coords() -> str:
    for path in sorted(Path("features").glob("*.h5")):
        path.unlink()
        write_slide(path, torch.zeros(N_PATCHES, WIDTH))
    return f"{MAIN} --model patchgcn".replace("--n_clusters 8 ", "")


@case("STAMP's features of a whole slide")
def stamp_slide() -> str:
    with h5py.File(FEATURES, "a") as file:
        file.attrs["feat_type"] = "slide"
    return MAIN


@case("A compression that is not installed", varies=[r"(?<=HDF5 \().*(?=\):)"])
def unknown_filter() -> str:
    FEATURES.unlink()
    with h5py.File(FEATURES, "w") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((N_PATCHES, WIDTH))
        plan.set_filter(40_000, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((N_PATCHES, WIDTH))
        data = h5py.h5d.create(file.id, b"features", h5py.h5t.IEEE_F32LE, space, plan)
        data.write_direct_chunk((0, 0), random_numbers(N_PATCHES, WIDTH).tobytes(), filter_mask=0)
    return MAIN


@case("A tensor without numbers")
def meta() -> str:
    as_pt(torch.zeros(N_PATCHES, WIDTH, device="meta"))
    return MAIN


@case("Tile positions of slideflow that are not those of the patches")
def slideflow_index() -> str:
    as_pt(torch.zeros(N_PATCHES, WIDTH))
    np.savez("features/s03.index.npz", arr_0=np.zeros((N_PATCHES - 1, 2)))
    return f"{MAIN} --model patchgcn".replace("--n_clusters 8 ", "")


@case("A `.npy` file of objects")
def npy_objects() -> str:
    FEATURES.unlink()
    np.save("features/s03.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return MAIN


@case("A `.npz` file without `features`")
def npz_names() -> str:
    FEATURES.unlink()
    np.savez("features/s03.npz", embeddings=random_numbers(N_PATCHES, WIDTH))
    return MAIN


@case("A `.safetensors` file without `features`")
def safetensors_names() -> str:
    FEATURES.unlink()
    save_file({"embeddings": torch.zeros(N_PATCHES, WIDTH)}, "features/s03.safetensors")
    return MAIN


@case("A `.safetensors` file cut short", varies=[r"(?<=file \().*(?=\):)"])
def cut_safetensors() -> str:
    FEATURES.unlink()
    save_file({"features": torch.zeros(N_PATCHES, WIDTH)}, "features/s03.safetensors")
    cut_file(Path("features/s03.safetensors"))
    return MAIN


@case("A pipe in the place of a file")
def pipe() -> str:
    FEATURES.unlink()
    os.mkfifo("features/s03.h5")
    return MAIN


@case("A link that leads nowhere")
def broken_link() -> str:
    FEATURES.unlink()
    FEATURES.symlink_to("../gone.h5")
    return MAIN


@case("Fewer patches than anchors")
def few_patches() -> str:
    for path in sorted(Path("features").glob("*.h5"))[1:]:
        path.unlink()
    return CLUSTERING.replace("n_clusters 8", "n_clusters 64") + " --scope dataset"


@case("A file to look at does not exist")
def inspect_nothing() -> str:
    return "python -m datasets.inspect features/s99.h5"
