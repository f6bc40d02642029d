"""How predictions are spread: the risk of a survival run, the probability of a classification run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.files.phrases import counted
from utils.files.short_names import shortened_apart
from utils.report.charts.chart import WIDTH, Chart, Plot, of_models
from utils.report.charts.scale import nice_ticks, padded
from utils.report.charts.svg import dots_path, fitting, short, tag, text
from utils.runs.class_words import ClassWords
from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import SURVIVAL

_ROW = 44.0
_LEFT = 142.0
_MOST_DOTS = 560
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Strip:
    """One row of the chart: a name, the values (n,) and the number of its series."""

    label: str
    values: np.ndarray
    series: int


def risk_charts(
    tables: Mapping[int, pd.DataFrame],
    words: ClassWords | None = None,
    unit: str = "slide",
    *,
    is_ensemble: bool = False,
) -> list[Chart]:
    """Survival: the risk in each fold, deaths and censored cases apart. Classification: a probability by label.

    Two classes: the probability of class 1 of the cases of each label; more classes: the probability of the true class.
    Probabilities share a scale and are pooled over folds, risks are not. Each case is a dot; the box spans the
    quartiles with the median in it, the line the 5 to 95 percentile. `words` name the classes; `is_ensemble`: the one
    table is of the ensemble of folds.
    """
    if task_of(next(iter(tables.values()))) == SURVIVAL:
        return [_survival(tables, is_ensemble)]
    return [_classification(tables, words, unit, is_ensemble)]


def _survival(tables: Mapping[int, pd.DataFrame], is_ensemble: bool) -> Chart:
    strips = []
    for fold, table in tables.items():
        died = (table["event"] == 1).to_numpy()
        risk = table["risk"].to_numpy()
        whose = "ensemble" if is_ensemble else f"fold {fold}"
        strips += [Strip(f"{whose}, died", risk[died], 1), Strip(f"{whose}, censored", risk[~died], 0)]
    title = "Risk of the test cases"
    note = "Higher risk: earlier death expected."
    if not is_ensemble:
        note += " Compare within a fold: risks of different models have no common scale."
    values = np.concatenate([strip.values for strip in strips])
    return _chart(strips, title, "case", "risk", note, padded(float(values.min()), float(values.max())))


def _classification(
    tables: Mapping[int, pd.DataFrame], words: ClassWords | None, unit: str, is_ensemble: bool
) -> Chart:
    cases = pd.concat(tables.values(), ignore_index=True)
    names = output_columns(cases)
    label = cases["label"].to_numpy()
    probabilities = np.clip(cases[names].to_numpy(), 0, 1)
    two = len(names) == 2
    words = words or ClassWords.numbered(len(names))
    shown = probabilities[:, 1] if two else probabilities[np.arange(len(label)), label]
    title = f"Probability of {words.full(1)} by label" if two else "Probability of the true class by label"
    strips = [
        Strip(words.brief(index) if words.are_names else f"label {index}", shown[label == index], index)
        for index in range(len(names))
    ]
    axis = f"probability of {words.full(1)}" if two else "probability of the true class"
    whose = of_models(len(tables), is_ensemble=is_ensemble)
    return _chart(strips, title, unit, axis, f"Test {unit}s of {whose}.", (0.0, 1.0))


def _chart(strips: Sequence[Strip], title: str, noun: str, axis: str, note: str, reach: tuple[float, float]) -> Chart:
    plot = Plot(reach, (len(strips), 0), left=_LEFT, height=_ROW * len(strips) + 6)
    plot.x_axis(nice_ticks(*reach), axis)
    labels = shortened_apart([strip.label for strip in strips], fitting(_LEFT - 18))
    for index, strip in enumerate(strips):
        plot.add(_strip(plot, strip, labels[index], plot.top + 3 + _ROW * (index + 0.5), _MOST_DOTS // len(strips)))
    plot.add(tag("path", class_="axis", d=f"M{short(plot.left)} {short(plot.bottom)}H{short(plot.right)}"))
    thinned = any(len(strip.values) > _MOST_DOTS // len(strips) for strip in strips)
    how = f"Dots: {noun}s; box: quartiles and median; line: 5 to 95 percentile."
    few = f" Where {noun}s are many, dots are an even selection by rank." if thinned else ""
    return Chart(title, plot.svg(title, f"{counted(len(strips), 'group')} of {noun}s: {axis}."), f"{how}{few} {note}")


def _strip(plot: Plot, strip: Strip, shown: str, y: float, most: int) -> str:
    values = np.sort(strip.values)
    label = text(_LEFT - 12, y - 1, strip.label, shown=shown, class_="key end")
    count = text(_LEFT - 12, y + 14, f"n = {len(values)}", class_="small muted end")
    if len(values) == 0:
        return label + count
    low, first, middle, third, high = np.percentile(values, (5, 25, 50, 75, 95))
    dots = values[np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int))]
    heights = y + 4 + 14 * ((np.arange(len(dots)) * _GOLDEN) % 1)
    series = f"s{strip.series % 8}"
    box = float(plot.x(third) - plot.x(first))
    top = y - 15
    parts = [
        tag("rect", class_="hit", x=4, y=y - _ROW / 2, width=WIDTH - 8, height=_ROW),
        label,
        count,
        tag("path", class_=f"dots {series}", d=dots_path(plot.x(dots), heights)),
        tag("path", class_=f"whisker {series}", d=f"M{short(plot.x(low))} {short(top + 6)}H{short(plot.x(high))}"),
        tag("rect", class_=f"box {series}", x=float(plot.x(first)), y=top, width=max(box, 1.0), height=12),
        tag("path", class_=f"median {series}", d=f"M{short(plot.x(middle))} {short(top)}v12"),
    ]
    tip = f"{strip.label}, n = {len(values)}\nmedian {middle:.3g}\nquartiles {first:.3g} to {third:.3g}"
    return tag("g", "".join(parts), class_="row", data_tip=tip)
