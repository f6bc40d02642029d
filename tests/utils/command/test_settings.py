from __future__ import annotations

import ast
import dataclasses
import json
import math
import re
import typing
from pathlib import Path
from typing import Any

import pytest

from utils.command import settings as settings_module
from utils.command.arguments import MODEL_OPTIONS, names_of
from utils.command.clustering_settings import ClusteringSettings
from utils.command.settings import RunSettings, as_plain
from utils.errors import UserError

ROOT = Path(settings_module.__file__).resolve().parents[2]
SETTINGS = {settings.__name__: settings for settings in (ClusteringSettings, RunSettings)}
CLUSTERING = {"dataset_name": "BLCA", "input_dir": (Path("in"),), "output_dir": Path("out")}
RUN = {
    "task": "surv",
    "dataset": "BLCA",
    "features_dir": (Path("features"),),
    "splits_dir": Path("splits"),
    "anchors": "random",
    "model_options": {},
}

# The protocol of the released code and of the documentation; a changed default changes everybody's numbers.
CLUSTERING_DEFAULTS = {
    "n_clusters": 64,
    "scope": "both",
    "fold_csv": None,
    "on_missing": "error",
    "allow_patient_overlap": False,
    "preset": None,
    "feature_norm": "none",
    "n_iter": 20,
    "n_init": 3,
    "seed": 1234,
    "max_points": 262144,
    "n_files": None,
    "workers": 4,
    "verify": "changed",
    "gpu": False,
    "overwrite": False,
    "launcher": None,
    "gpus": None,
    "jobs_per_gpu": None,
    "jobs": None,
    "slurm": None,
    "dry_run": False,
    "ray_address": None,
    "ray_cpus": None,
    "ray_retries": None,
}
RUN_DEFAULTS = {
    "folds": None,
    "unit": "slide",
    "model": "mico",
    "n_clusters": 64,
    "epochs": 200,
    "patience": 8,
    "lr": 2e-4,
    "weight_decay": 1e-5,
    "batch_size": 1,
    "grad_accum": 2,
    "monitor": "auto",
    "tie_rule": "val_loss",
    "tensorboard": False,
    "profile": False,
    "optimizer": "ranger",
    "seed": 2024,
    "max_patches": None,
    "weighted_sampling": False,
    "precision": "auto",
    "device": "auto",
    "alpha_surv": 0.0,
    "n_bins": 4,
    "stage": "all",
    "explain_cases": None,
    "explain_slides": None,
    "slides_dir": None,
    "mpp": None,
    "patch_size": None,
    "geojson": "patches",
    "results_dir": Path("results"),
    "run_name": None,
    "resume": False,
    "overwrite": False,
    "on_change": "error",
    "no_figures": False,
    "num_workers": 2,
    "threads": None,
    "verify": "changed",
    "cache": "none",
    "cache_gb": None,
    "launcher": None,
    "gpus": None,
    "jobs_per_gpu": None,
    "jobs": None,
    "slurm": None,
    "dry_run": False,
    "ray_address": None,
    "ray_cpus": None,
    "ray_retries": None,
    "on_missing": "error",
    "allow_patient_overlap": False,
    "feature_norm": None,
}


def clustering(**changes: Any) -> ClusteringSettings:
    return ClusteringSettings(**{**CLUSTERING, **changes})  # type: ignore[arg-type]


def run(**changes: Any) -> RunSettings:
    return RunSettings(**{**RUN, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "required", "defaults"),
    [(ClusteringSettings, CLUSTERING, CLUSTERING_DEFAULTS), (RunSettings, RUN, RUN_DEFAULTS)],
)
def test_the_defaults_are_the_released_protocol(settings: Any, required: dict, defaults: dict):
    """An option that is added belongs into the table above, and into the documentation."""
    fields = dataclasses.fields(settings)
    assert {f.name for f in fields if f.default is dataclasses.MISSING} == set(required)
    assert {f.name: f.default for f in fields if f.default is not dataclasses.MISSING} == defaults


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_clusters", 0),
        ("n_clusters", -1),
        ("n_iter", 0),
        ("n_init", 0),
        ("max_points", 0),
        ("n_files", 0),
        ("workers", 0),
        ("seed", -1),
        ("dataset_name", ""),
        ("dataset_name", "a/b"),
        ("dataset_name", "..\\b"),
        ("dataset_name", ".."),
        ("scope", "all"),
        ("preset", "paper"),
        ("feature_norm", "minmax"),
        ("feature_norm", None),
    ],
)
def test_impossible_clustering_settings_are_named(name: str, value: Any):
    with pytest.raises(UserError, match=f"got --{name} '?{re.escape(str(value))}"):
        clustering(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, 0) for name in ("n_clusters", "epochs", "patience", "batch_size")],
        *[(name, 0) for name in ("grad_accum", "max_patches")],
        ("n_bins", 1),
        ("seed", -1),
        ("num_workers", -1),
        ("weight_decay", -1e-5),
        ("weight_decay", float("nan")),
        ("weight_decay", float("inf")),
        ("alpha_surv", 1.5),
        ("alpha_surv", -0.5),
        ("on_change", "ask"),
        ("lr", 0.0),
        ("lr", -1.0),
        ("lr", float("nan")),
        ("lr", float("inf")),
        ("dataset", "a/b"),
        ("run_name", ""),
        ("run_name", "../elsewhere"),
        ("task", "reg"),
        ("unit", "case"),
        ("unit", "patient"),  # with --task surv
        ("optimizer", "sgd"),
        ("precision", "fp8"),
        ("stage", "val"),
        ("geojson", "points"),
        ("explain_cases", -1),
        ("on_missing", "ignore"),
        ("cache", "disk"),
        ("cache_gb", 8.0),  # without --cache ram
        ("feature_norm", "minmax"),
    ],
)
def test_impossible_run_settings_are_named(name: str, value: Any):
    shown = value[0] if isinstance(value, tuple) else value
    with pytest.raises(UserError, match=f"got --{name} '?{shown}"):
        run(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("explain_cases", 2),
        ("explain_slides", ("S1",)),
        ("slides_dir", Path("slides")),
        ("mpp", 0.25),
        ("patch_size", 448),
        ("geojson", "regions"),
    ],
)
def test_options_of_explanations_go_with_that_stage(name: str, value: Any):
    assert getattr(run(stage="explain", **{name: value}), name) == value
    with pytest.raises(UserError, match=f"got --{name} with --stage all, expected --stage explain"):
        run(**{name: value})


def test_the_unit_is_an_option_of_classification():
    assert run(task="cls", unit="patient").unit == "patient"
    with pytest.raises(UserError, match=r"^got --unit patient with --task surv, expected --task cls: survival is by"):
        run(unit="patient")


@pytest.mark.parametrize("mpp", [0.0, -0.25, float("nan"), float("inf")])
def test_microns_are_positive(mpp: float):
    with pytest.raises(UserError, match="--mpp"):
        run(stage="explain", mpp=mpp)


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_an_impossible_size_of_the_cache_is_named(size: float):
    with pytest.raises(UserError, match=re.escape(f"got --cache_gb {size}, expected 1e-06 to 1e+06")):
        run(cache="ram", cache_gb=size)
    assert run(cache="ram", cache_gb=0.5).cache_gb == 0.5
    with pytest.raises(UserError, match=r"got --cache_gb 0\.5, expected --cache ram with it"):
        run(cache_gb=0.5)


def numbers_of(settings: type) -> list[tuple[type, str, Any]]:
    """Each option of a settings dataclass that is a number, with its limits."""
    hints = typing.get_type_hints(settings)
    kinds = {name: set(re.findall(r"\bint\b|\bfloat\b", str(hint))) for name, hint in hints.items()}
    fields = [field for field in dataclasses.fields(settings) if kinds[field.name]]
    return [(settings, field.name, field.metadata["limits"]) for field in fields]


NUMBERS = [*numbers_of(ClusteringSettings), *numbers_of(RunSettings)]


def test_numbers_of_both_commands_are_tried():
    names = {name for _, name, _ in NUMBERS}
    assert {"seed", "lr", "cache_gb", "folds", "max_points", "patch_size", "explain_cases"} <= names


@pytest.mark.parametrize(("settings", "name", "limits"), NUMBERS, ids=lambda value: getattr(value, "__name__", value))
def test_every_number_has_limits_and_nothing_beyond_them_is_taken(settings: Any, name: str, limits: Any):
    assert limits is not None
    make, many = {ClusteringSettings: clustering, RunSettings: run}[settings], name == "folds"
    needed = {"cache": "ram"} if name == "cache_gb" else {}
    needed |= {"launcher": "ray"} if name.startswith("ray_") else {}
    needed |= {"stage": "explain"} if name in names_of(settings, "explanation") else {}
    for value in (limits.lowest - 1, limits.highest * 2, -1, 10**30, 1e308, math.nan, math.inf, -math.inf):
        with pytest.raises(UserError, match=re.escape(f"got --{name} {value}, expected {limits.in_words()}")):
            make(**needed, **{name: (value,) if many else value})
    for value in limits:
        needed |= {"lr": 1e-12} if name == "weight_decay" else {}
        assert getattr(make(**needed, **{name: (value,) if many else value}), name) in (value, (value,))


def test_weights_do_not_shrink_by_more_than_themselves():
    assert run(lr=1.0, weight_decay=0.5).lr == 1.0
    with pytest.raises(UserError, match=r"got --lr 10.0 with --weight_decay 0.1, expected a product below 1"):
        run(lr=10.0, weight_decay=0.1)


@pytest.mark.parametrize("folds", [(0, 0), (-1,), (1, -2), ()])
def test_impossible_folds_are_named(folds: tuple[int, ...]):
    with pytest.raises(UserError, match=r"got --folds .*expected (different numbers|0 to)"):
        run(folds=folds)


def test_the_limits_themselves_are_possible():
    assert run(alpha_surv=1.0, weight_decay=0.0, n_bins=2, seed=0, max_patches=1, folds=(3, 0)).n_bins == 2
    assert clustering(n_clusters=1, n_iter=1, n_init=1, max_points=1, n_files=1, workers=1, seed=0).n_files == 1
    assert run(dataset="TCGA-BLCA v1.5", run_name="a.b").run_name == "a.b"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"n_iter": 10}, "--n_iter"),
        ({"n_init": 1}, "--n_init"),
        ({"seed": 1}, "--seed"),
        ({"max_points": 1000}, "--max_points"),
        ({"n_files": 10}, "--n_files"),
        ({"feature_norm": "l2"}, "--feature_norm"),
        ({"fold_csv": (Path("fold0.csv"),)}, "--fold_csv"),
        ({"seed": 1, "n_iter": 10}, "--n_iter, --seed"),
    ],
)
def test_the_released_preset_refuses_what_it_fixes(changes: dict, named: str):
    with pytest.raises(UserError, match=f"--preset released fixes the procedure; leave out {named}$"):
        clustering(preset="released", **changes)


def test_the_released_preset_leaves_the_rest_open():
    settings = clustering(preset="released", n_clusters=16, scope="dataset", workers=1, gpu=True, overwrite=True)
    assert (settings.n_clusters, settings.scope) == (16, "dataset")


def test_fitted_anchors_carry_their_own_feature_norm():
    assert run(feature_norm="zscore").feature_norm == "zscore"
    with pytest.raises(UserError, match="--feature_norm goes with --anchors random only"):
        run(feature_norm="zscore", anchors="anchors.pt")


def test_resume_and_overwrite_exclude_each_other():
    with pytest.raises(UserError, match=r"--resume keeps .* and --overwrite removes"):
        run(resume=True, overwrite=True)


def test_settings_do_not_change():
    for made in (run(), clustering()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.seed = 1  # type: ignore[misc]


def test_the_folder_of_a_run():
    released = {"model_options": {"formulation": "released"}}
    assert run(**released).run_dir == Path("results/surv/BLCA/mico_released")
    assert run(**released, seed=2024).run_dir == Path("results/surv/BLCA/mico_released")
    assert run(**released, seed=7).run_dir == Path("results/surv/BLCA/mico_released_seed7")
    paper = {"model_options": {"formulation": "paper"}}
    assert run(results_dir=Path("/r"), task="cls", **paper).run_dir == Path("/r/cls/BLCA/mico_paper")
    assert run(model="abmil").run_dir == Path("results/surv/BLCA/abmil")
    ablated = {"model_options": {"formulation": "released", "ablate": ("route", "reducer")}}
    assert run(**ablated).run_dir == Path("results/surv/BLCA/mico_released_no_route_no_reducer")
    assert run(run_name="first", seed=7).run_dir == Path("results/surv/BLCA/first")


def test_plain_settings_survive_json():
    plain = as_plain(run(folds=(0, 2), features_dir=(Path("a"), Path("b"))))
    assert plain == json.loads(json.dumps(plain))
    assert list(plain) == [field.name for field in dataclasses.fields(RunSettings) if field.name != MODEL_OPTIONS]
    assert plain["folds"] == [0, 2]
    assert plain["features_dir"] == ["a", "b"]
    assert (plain["results_dir"], plain["max_patches"], plain["lr"]) == ("results", None, 2e-4)


def test_options_of_the_model_stand_among_the_plain_settings():
    plain = as_plain(run(model_options={"dropout": 0.1, "ablate": (), "layers": (2, 3)}))
    assert plain == json.loads(json.dumps(plain))
    names = list(plain)
    assert names[names.index("model") + 1 : names.index("n_clusters")] == ["dropout", "ablate", "layers"]
    assert (plain["dropout"], plain["ablate"], plain["layers"]) == (0.1, None, [2, 3])


def test_options_of_the_model_do_not_change():
    given = {"dropout": 0.1}
    settings = run(model_options=given)
    given["dropout"] = 0.2
    assert settings.model_options == {"dropout": 0.1}
    with pytest.raises(TypeError):
        settings.model_options["dropout"] = 0.3  # type: ignore[index]
    assert dataclasses.replace(settings, seed=1).model_options == {"dropout": 0.1}


def test_what_decides_anchors_is_what_is_recorded_of_them():
    """A changed list would make the anchors of all users count as made with other options."""
    recorded = ("preset", "n_iter", "n_init", "seed", "max_points", "n_files", "feature_norm")
    assert names_of(ClusteringSettings, "results") == recorded


def test_what_may_differ_between_the_parts_of_a_run():
    """A changed list would refuse runs that go on, or mix numbers of different settings."""
    places = {"features_dir", "splits_dir", "anchors", "results_dir", "run_name"}
    without_effect = {
        *("folds", "stage", "resume", "overwrite", "on_change", "no_figures"),
        *("profile", "tensorboard", "num_workers", "threads", "cache", "cache_gb", "verify", "device"),
        *("launcher", "gpus", "jobs_per_gpu", "jobs", "slurm", "dry_run", "ray_address", "ray_cpus", "ray_retries"),
    }
    explaining = {"explain_cases", "explain_slides", "slides_dir", "mpp", "patch_size", "geojson"}
    assert set(names_of(RunSettings, "place")) == places
    assert set(names_of(RunSettings, "run")) == without_effect
    assert set(names_of(RunSettings, "explanation")) == explaining


def fields_read(tree: ast.Module, settings: str) -> set[str]:
    """Names of fields that the functions of a module read from an argument annotated with `settings`.

    `getattr(argument, name) for name in (...)` reads the names of the tuple, `for name in names_of(Settings, role)`
    those of the role. What the dataclass itself reads to check (`__post_init__`) is no use of an option.
    """
    read: set[str] = set()
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for argument in function.args.args:
            if isinstance(argument.annotation, ast.Name) and argument.annotation.id == settings:
                for node in ast.walk(function):
                    if isinstance(node, ast.Attribute) and is_name(node.value, argument.arg):
                        read.add(node.attr)
                    if isinstance(node, ast.DictComp | ast.ListComp | ast.GeneratorExp):
                        read |= names_of_getattr(node, argument.arg)
    return read


def is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def names_of_getattr(comprehension: Any, argument: str) -> set[str]:
    calls = [n for n in ast.walk(comprehension) if isinstance(n, ast.Call) and is_name(n.func, "getattr")]
    if not any(is_name(call.args[0], argument) for call in calls):
        return set()
    names: set[str] = set()
    for generator in comprehension.generators:
        source = generator.iter
        if isinstance(source, ast.Call) and is_name(source.func, "names_of"):
            roles = [role.value for role in source.args[1:] if isinstance(role, ast.Constant)]
            names.update(names_of(SETTINGS[ast.unparse(source.args[0])], *roles))
        names.update(item.value for item in getattr(source, "elts", []) if isinstance(item, ast.Constant))
    return names


def run_dir_fields() -> set[str]:
    """Fields behind the property `run_dir`, which is read in their place."""
    tree = ast.parse(Path(settings_module.__file__).read_text(encoding="utf-8"))
    (function,) = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "run_dir")
    return {n.attr for n in ast.walk(function) if isinstance(n, ast.Attribute) and is_name(n.value, "self")}


@pytest.mark.parametrize(("settings", "command"), [(ClusteringSettings, "run_clustering.py"), (RunSettings, "main.py")])
def test_every_option_is_read_by_the_code(settings: Any, command: str):
    read: set[str] = set()
    for path in [ROOT / command, *sorted((ROOT / "utils").rglob("*.py"))]:
        if path.name not in ("settings.py", "clustering_settings.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for owner in settings.__mro__[:-1]:  # what reads the options of a base class reads them of all
                read |= fields_read(tree, owner.__name__)
    if "run_dir" in read:
        read |= run_dir_fields()
    assert {field.name for field in dataclasses.fields(settings)} - read == set()


def test_an_option_that_nothing_reads_would_be_found():
    source = """
def run(settings: RunSettings, other: ClusteringSettings):
    settings.lr
    other.workers
    def inner():
        return settings.epochs
    {name: getattr(settings, name) for name in names_of(ClusteringSettings, "results")}
    [getattr(settings, name) for name in ("mpp",)]
    {name: getattr(other, name) for name in ("scope",)}
    print("dropout", unrelated.dropout)
"""
    read = fields_read(ast.parse(source), "RunSettings")
    assert read == {"lr", "epochs", "mpp", *names_of(ClusteringSettings, "results")}
