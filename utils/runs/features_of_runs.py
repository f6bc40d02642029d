"""Whether runs are of the same features, by what `run.json` has of them: their width, and a digest for each fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

_N_DIGITS = 6  # of a digest, for a reader


def same_features(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two runs are of the same features, as far as their records tell.

    The digest of a fold depends on its slides too: it is compared where both runs have the fold of the same split file.
    """
    widths = {run["dim_in"] for run in (one, other) if run.get("dim_in") is not None}
    digests, others = _digests(one), _digests(other)
    shared = [fold for fold in digests.keys() & others.keys() if _split(one, fold) == _split(other, fold)]
    return len(widths) < 2 and all(digests[fold] == others[fold] for fold in shared)


def features_as_options(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """`{"features": words}` of each run, to stand among its options: width and start of a digest, `D = 1024, 3f2a91`.

    Runs that share the digest of any fold have the same words. All are empty where no two runs are known to differ, and
    that of a run is empty whose record says nothing of its features.
    """
    if all(same_features(one, other) for one, other in combinations(runs, 2)):
        return [{} for _ in runs]
    groups: list[set[str]] = []  # digests of the same features
    for run in runs:
        own = set(_digests(run).values())
        joined = [group for group in groups if group & own]
        groups = [*(group for group in groups if not group & own), own.union(*joined)]
    words = [_words(run, groups) for run in runs]
    return [{"features": text} if text else {} for text in words]


def _words(run: Mapping[str, Any], groups: Sequence[set[str]]) -> str:
    own = set(_digests(run).values())
    width = [f"D = {run['dim_in']}"] if run.get("dim_in") is not None else []
    digest = [min(group)[:_N_DIGITS] for group in groups if group & own]
    return ", ".join([*width, *digest])


def _digests(run: Mapping[str, Any]) -> dict[str, str]:
    """{`fold{k}`: digest}; empty in records of before they were written."""
    found = run.get("features")
    return found if isinstance(found, dict) else {}


def _split(run: Mapping[str, Any], fold: str) -> Any:
    return run.get("splits", {}).get(f"{fold}.csv")
