"""Options of the chosen model: resolved with their defaults, and refused where they have no meaning."""

from __future__ import annotations

import math
from typing import Any

import pytest

from utils.command.limits import Limits
from utils.command.model_options import SharedOption, resolve_model_options
from utils.errors import UserError

OPTIONS = {
    shared.name: shared
    for shared in (
        SharedOption("form", str, "a form", {"a": "x"}, choices=("x", "y")),
        SharedOption("embed_dim", int, "d", {"a": 8, "b": 4, "c": 4}, limits=Limits(1, 100)),
        SharedOption("n_stages", int, "L", {"a": 3}, limits=Limits(1, 20)),
        SharedOption("recompute_above", int, "rows", {"a": 100}, limits=Limits(0, 1000)),
        SharedOption("dropout", float, "rate", {"a": 0.1, "b": 0.1, "c": 0.1}, limits=Limits(0.0, 0.99)),
        SharedOption("parts", str, "parts", {"a": ()}, choices=("p", "q"), many=True),
        SharedOption("instance_weight", float, "weight", {"b": 0.3}, limits=Limits(0, 1)),
        SharedOption("graph", str, "neighbours", {"b": "coords", "c": "coords"}, choices=("coords", "features")),
        SharedOption("temperature", float, "of its own", {"c": 2.0}),
    )
}


def resolve(model: str = "a", task: str = "cls", **given: Any) -> dict[str, Any]:
    return resolve_model_options(OPTIONS, model=model, task=task, given=given)


def test_all_options_of_the_model_have_a_value_and_no_others():
    own = {"form": "x", "embed_dim": 8, "n_stages": 3, "recompute_above": 100, "dropout": 0.1, "parts": ()}
    assert resolve() == own
    assert resolve("c") == {"embed_dim": 4, "dropout": 0.1, "graph": "coords", "temperature": 2.0}
    assert resolve(form="y", parts=["q"]) == {**own, "form": "y", "parts": ("q",)}


@pytest.mark.parametrize(
    ("model", "name", "value", "readers"),
    [
        ("b", "form", "y", "a"),
        ("b", "parts", ("p",), "a"),
        ("a", "instance_weight", 0.5, "b"),
        ("a", "graph", "features", "b or c"),
        ("a", "temperature", 1.0, "c"),
    ],
)
def test_an_option_of_another_model_is_refused(model: str, name: str, value: Any, readers: str):
    with pytest.raises(UserError, match=f"got --{name} with --model {model}, expected it with {readers} only"):
        resolve(model, **{name: value})


def test_an_option_of_another_model_may_be_given_with_its_default():
    """So that one command line serves all models."""
    assert resolve("b", form="x", parts=[]) == resolve("b")
    assert resolve(graph="coords", temperature=2.0) == resolve()
    with pytest.raises(UserError, match="got --graph nowhere, expected one of coords, features"):
        resolve(graph="nowhere")


def test_three_models_are_listed():
    options = {"k": SharedOption("k", int, "k", {"a": 1, "b": 1, "c": 1})}
    with pytest.raises(UserError, match="expected it with a, b or c only"):
        resolve_model_options(options, model="d", task="cls", given={"k": 2})


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        ("a", "n_stages", 0),
        ("a", "embed_dim", 0),
        ("a", "embed_dim", 10**30),
        ("a", "recompute_above", -1),
        ("a", "dropout", 1.0),
        ("a", "dropout", -0.1),
        ("a", "dropout", math.nan),
        ("b", "instance_weight", 1.5),
        ("b", "instance_weight", math.nan),
        ("c", "temperature", math.inf),
        ("a", "form", "mine"),
        ("a", "parts", ("p", "r")),
        ("b", "graph", "grid"),
    ],
)
def test_impossible_values_are_named(model: str, name: str, value: Any):
    shown = value[-1] if isinstance(value, tuple) else value
    with pytest.raises(UserError, match=f"got --{name} {shown}, expected"):
        resolve(model, **{name: value})


def test_the_limits_themselves_are_possible():
    assert resolve(dropout=0.0, n_stages=1, embed_dim=1, recompute_above=0)["dropout"] == 0.0
    assert {resolve("b", instance_weight=weight)["instance_weight"] for weight in (0.0, 1.0)} == {0.0, 1.0}


def test_the_instance_weight_needs_class_labels():
    assert resolve("b", instance_weight=0.5)["instance_weight"] == 0.5
    assert resolve("b", task="surv")["instance_weight"] == 0.3
    with pytest.raises(UserError, match="got --instance_weight with --task surv, expected --task cls"):
        resolve("b", task="surv", instance_weight=0.5)
