"""The options in which runs differ."""

from __future__ import annotations

from typing import Any

from utils.runs.deciding_options import compared_options, deciding_options, differing_names


def run(model: str = "mico", feature_norm: str = "none", **settings: Any) -> dict[str, Any]:
    made = {"task": "cls", "model": model, "anchors": "a/K_64.pt", "lr": 2e-4, "device": "cpu", **settings}
    return {"task": "cls", "model": model, "feature_norm": feature_norm, "settings": made}


def differing(runs: list[dict[str, Any]]) -> list[str]:
    return differing_names(compared_options(runs))


def test_places_and_machines_decide_nothing():
    assert differing([run(), run(device="cuda", anchors="b.pt", results_dir="r", run_name="x")]) == []
    assert "device" not in deciding_options(run())


def test_what_differs_in_the_order_of_the_settings():
    runs = [run(lr=1e-4, dropout=0.1, n_stages=3), run(lr=1e-4, dropout=0.2, n_stages=3), run(model="abmil")]
    assert differing(runs) == ["model", "lr", "dropout"]
    assert deciding_options(runs[2]).get("dropout") is None


def test_anchors_and_scale_of_the_features():
    assert differing([run(), run(anchors="random")]) == ["anchors"]
    assert deciding_options(run(anchors="random"))["anchors"] == "random"
    assert differing([run(), run(feature_norm="zscore")]) == ["feature_norm"]


def test_features_differ_where_they_are_known_to_be_others():
    runs = [run(features_dir=[name]) | {"features": {"fold0": name * 9}, "dim_in": 8} for name in "aab"]
    assert differing(runs[:2]) == []
    assert differing(runs) == ["features"]
    assert [options["features"] for options in compared_options(runs)] == ["D = 8, aaaaaa"] * 2 + ["D = 8, bbbbbb"]


def test_a_model_of_one_s_own_has_the_number_of_its_anchors():
    runs = [run("mine", n_clusters=k) | {"takes_anchors": True} for k in (32, 64)]
    assert differing(runs) == ["n_clusters"]
    assert differing([each | {"takes_anchors": False} for each in runs]) == []


def test_the_anchors_of_a_model_that_takes_none_are_no_option():
    assert differing([run(), run("abmil", anchors="random")]) == ["model"]


def test_in_records_of_before_anchors_are_mico_s_alone():
    assert differing([run(n_clusters=32), run(n_clusters=64)]) == ["n_clusters"]
    assert differing([run(n_clusters=32), run("abmil", n_clusters=64)]) == ["model"]


def test_records_of_before_had_the_defaults_of_then():
    assert differing([run(), run(tie_rule="first", monitor="val_f1", unit="slide")]) == []
