"""The options in which runs differ."""

from __future__ import annotations

from typing import Any

from utils.runs.deciding_options import deciding_options, differing_options


def run(model: str = "mico", feature_norm: str = "none", **settings: Any) -> dict[str, Any]:
    made = {"task": "cls", "model": model, "anchors": "a/K_64.pt", "lr": 2e-4, "device": "cpu", **settings}
    return {"task": "cls", "model": model, "feature_norm": feature_norm, "settings": made}


def test_places_and_machines_decide_nothing():
    assert differing_options([run(), run(device="cuda", anchors="b.pt", results_dir="r", run_name="x")]) == []
    assert "device" not in deciding_options(run())


def test_what_differs_in_the_order_of_the_settings():
    runs = [run(lr=1e-4, dropout=0.1, n_stages=3), run(lr=1e-4, dropout=0.2, n_stages=3), run(model="abmil")]
    assert differing_options(runs) == ["model", "lr", "dropout"]
    assert deciding_options(runs[2]).get("dropout") is None


def test_anchors_and_scale_of_the_features():
    assert differing_options([run(), run(anchors="random")]) == ["anchors"]
    assert deciding_options(run(anchors="random"))["anchors"] == "random"
    assert differing_options([run(), run(feature_norm="zscore")]) == ["feature_norm"]


def test_the_number_of_anchors_is_mico_s_alone():
    assert differing_options([run(n_clusters=32), run(n_clusters=64)]) == ["n_clusters"]
    assert differing_options([run(n_clusters=32), run("abmil", n_clusters=64)]) == ["model"]


def test_records_of_before_had_the_defaults_of_then():
    assert differing_options([run(), run(tie_rule="first", monitor="val_f1", unit="slide")]) == []
