from __future__ import annotations

from pathlib import Path

from sklearn.metrics import roc_auc_score

from tests.utils.tables.cohort_folders import classification_folder, survival_folder
from utils.figures.validation_figures import draw_validation_figures, write_validation_figures
from utils.runs.predictions import read_predictions


def _texts(figure) -> str:
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend() is not None]
    words = [text.get_text() for legend in legends for text in legend.get_texts()]
    return "\n".join([*words, figure.get_suptitle(), figure.get_supxlabel()])


def test_the_ensemble_comes_before_its_folds(tmp_path: Path):
    folder = classification_folder(tmp_path)
    text = _texts(draw_validation_figures(folder)["roc.png"])
    table = read_predictions(folder / "predictions.csv")
    assert f"ensemble: AUC {roc_auc_score(table['label'], table['prob_1']):.3f}" in text
    assert text.index("ensemble: AUC") < text.index("fold 0: AUC") < text.index("fold 2: AUC")
    assert "malignant (class 1) against benign (class 0)" in text


def test_survival_is_divided_at_the_cut_off(tmp_path: Path):
    folder = survival_folder(tmp_path, cut_off=-1.25)
    table = read_predictions(folder / "predictions.csv")
    text = _texts(draw_validation_figures(folder)["kaplan_meier.png"])
    assert f"high risk (n = {(table['risk'] >= -1.25).sum()}" in text
    assert "high: risk >= -1.25, fixed in training" in text


def test_one_group_has_no_figure(tmp_path: Path):
    assert draw_validation_figures(survival_folder(tmp_path, cut_off=100.0)) == {}


def test_figures_are_written(tmp_path: Path):
    assert write_validation_figures(classification_folder(tmp_path)) == [tmp_path / "figures" / "roc.png"]
    assert (tmp_path / "figures" / "roc.png").read_bytes()[1:4] == b"PNG"
