"""What the numbers of the clinical question mean, in plain sentences for the reader of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from utils.clinical.models import BOTH, COVARIATES
from utils.clinical.tables import ratio_text
from utils.files.phrases import counted, listed
from utils.files.text_table import format_difference, relation_to_p
from utils.runs.tasks import METRIC_WORDS

# The shares are those of `python -m benchmarks.clinical_size --repeats 500`.
DEPENDENCE = (
    "The models of the folds share training cases, so that the folds are not independent of each other, which both "
    "tests take them to be. Where the risk says nothing its p is too small: in simulated cohorts of 60 to 1,200 cases "
    "p < 0.05 came up in 11 to 18 %. The corrected p, of half the likelihood ratio, came up in 3 to 6 %. The intervals "
    "of the risk are too narrow in the same way. The covariates alone are not affected."
)
GROUP_METHOD = (
    "Pairs of cases are compared within their fold. Groups are not compared with each other: that an interval leaves "
    "out 0.5 in one group and not in another is no evidence of a difference between them."
)


def verdict(result: Mapping[str, Any]) -> Iterator[str]:
    """The answer in a sentence or two; none without covariates."""
    if "models" not in result:
        return
    names, both = listed(_names(result)), result["models"][BOTH]
    ratio = "a hazard ratio" if result["task"] == "surv" else "an odds ratio"
    if both["reason"]:
        yield f"Whether the risk says something beyond {names} cannot be told: {both['reason']}."
        return
    term = both["terms"][0]
    opposite = "live longer" if result["task"] == "surv" else f"are less often {result['outcome']}"
    turned = f" (below 1: cases of higher risk {opposite})" if term["effect"] < 1 else ""
    several = _has_several_folds(result)
    p = relation_to_p(result["tests"]["risk_added"]["p_corrected" if several else "p"])
    corrected = ", corrected for folds that share training cases" if several else ""
    yield (
        f"Beyond {names}, the risk has {ratio} of {ratio_text(term)} per standard deviation{turned}; likelihood-"
        f"ratio test of adding it{corrected}: p {p}."
    )
    metric, found = METRIC_WORDS[result["metric"]], result["discrimination"]
    baseline, added = found["models"][COVARIATES], found["differences"]["risk_added"]
    if baseline["value"] is not None and added["value"] is not None:
        value, low, high = (None if added[k] is None else format_difference(added[k]) for k in ("value", "low", "high"))
        limits = "" if low is None else f" ({low} to {high})"
        yield (
            f"{metric} of {names} alone {baseline['value']:.3f}, with the risk {found['models'][BOTH]['value']:.3f}: "
            f"difference {value}{limits}."
        )


def cases_in_words(result: Mapping[str, Any]) -> Iterator[str]:
    """Which cases the numbers are of, and why others are left out."""
    cases = result["cases"]
    events = f"{cases['events']} {result['outcome']}"
    which = f" with a value of {listed(_names(result))}" if "models" in result else ""
    yield (
        f"{cases['analysed']} of {counted(cases['predicted'], 'test case')} ({events}){which}; "
        f"{cases['in_table']} are in {result['table']['file']}."
    )
    for column, words in result["missing"].items():
        if words:
            said = ", ".join(f"{number} {word!r}" if word else f"{number} empty" for word, number in words.items())
            yield f"Without a value of {column}: {counted(sum(words.values()), 'case')} ({said})."


def model_method(result: Mapping[str, Any]) -> Iterator[str]:
    """How the three models were made, and what their p values mean."""
    several = _has_several_folds(result)
    if result["task"] == "surv":
        kind = f"Cox's proportional hazards{', stratified by fold' if several else ''} (Efron's ties)"
        means = "HR: hazard ratio, above 1 = earlier death"
    else:
        kind = f"Logistic regression{' with an intercept for each fold' if several else ''}"
        means = f"OR: odds ratio of {result['outcome']}; the risk is the logit of its predicted probability"
    scale = " within its fold, since the folds' models have no common scale" if several else ""
    yield (
        f"{kind}. {means}. The three models are of the same cases. The risk is per standard deviation{scale}; "
        "numbers are per standard deviation (SD in brackets), and "
        "clinical.csv has them per unit too; groups are compared with the most frequent one."
    )
    yield (
        "p of a line (Wald): how often a ratio at least as far from 1 would come up if this line had no effect, given "
        "the other lines of its model."
    )
    yield from (_test_in_words(result, name) for name in result["tests"])
    yield (
        f"{counted(result['n_tests'], 'p value')} in all, none corrected for their number: of 20 tests without any "
        "effect, about one has p < 0.05."
    )
    if several:
        yield DEPENDENCE


def ranking_method(result: Mapping[str, Any]) -> str:
    """How the rankings were made."""
    metric = METRIC_WORDS[result["metric"]]
    limits = "Limits: 95 %, from leaving out one case at a time, with the models held fixed."
    if not _has_several_folds(result):
        return (
            f"{metric} over pairs of cases. All cases are of one fold: there are none of other folds to fit a model of "
            f"the covariates to, and so no ranking by them. {limits}"
        )
    n_others = len(result["folds"]) - 1
    others = f"{n_others} folds" if n_others > 1 else "fold"
    return (
        f"{metric} over pairs of cases of the same fold. The covariates are cross-fitted: the cases of a fold are "
        f"ranked by a model that was fitted to the test cases of the other {others}, "
        f"as the risk of a case comes from a model that was trained without it. {limits} No test is made of the "
        "differences."
    )


def _has_several_folds(result: Mapping[str, Any]) -> bool:
    """Whether cases of several models are analysed together, as `folds` of the result says."""
    return len(result["folds"]) > 1


def _names(result: Mapping[str, Any]) -> list[str]:
    return [covariate["name"] for covariate in result["covariates"]]


def _test_in_words(result: Mapping[str, Any], name: str) -> str:
    names = listed(_names(result))
    added, nothing = {
        "risk_added": (f"Adding the risk to {names}", f"the risk said nothing beyond {names}"),
        "covariates_added": (f"Adding {names} to the risk", f"{names} said nothing beyond the risk"),
    }[name]
    test = result["tests"][name]
    if test["p"] is None:
        return f"{added}: no likelihood-ratio test ({test['reason']})."
    corrected = test.get("p_corrected")
    p = test["p"] if corrected is None else corrected
    often = "less than 1 in 1,000" if p < 0.001 else f"{1000 * p:.0f} in 1,000"
    more = "" if corrected is None else f", corrected (below) p {relation_to_p(corrected)}"
    return (
        f"{added}: likelihood ratio {test['statistic']:.2f} with {counted(test['df'], 'degree')} of freedom, "
        f"p {relation_to_p(test['p'])}{more}. If {nothing}, {often} cohorts like this one would show a ratio as large."
    )
