"""`MODEL_CARD.md` of an exported model, written from its record alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from utils.files.text_table import markdown_table
from utils.pipeline.ensemble import Ensemble
from utils.runs.run_record import model_in_words
from utils.runs.tasks import METRIC_WORDS, TASKS
from utils.tables.averages import mean_text

CARD = "MODEL_CARD.md"


def model_card(record: Mapping[str, Any], ensemble: Ensemble) -> str:
    """The card: what the model takes and gives, what it was trained on, what it reached there, and how it is used."""
    model = model_in_words(record["model"], record["formulation"], record["settings"].get("ablate") or ())
    task = TASKS[record["task"]]
    blocks = [
        f"# {record['dataset']}: {model}, {task.words}",
        _list(_takes(record, ensemble)),
        "## Trained on",
        _cohort(record),
        "## What it reached there",
        _metrics(record),
        "## Use",
        "In the folder of the repository, with features of the same encoder from patches of the same size:",
        "```\npython main.py --stage predict --run_dir THIS_FOLDER --features_dir DIR --cohort NAME\n```",
        "Patients that a fold was trained on are refused: `trained_on.json` holds digests of their names. A digest "
        "keeps a name from being read, not from being guessed: whoever knows how names are made can try them.",
        "## What it is not",
        "A research model: it was not validated for clinical use. Test figures above are of the hospitals that it was "
        "trained on; other scanners, stains and patients have to be validated with labels of their own.",
        "## Provenance",
        _list(_provenance(record)),
    ]
    return "\n\n".join(blocks) + "\n"


def _takes(record: Mapping[str, Any], ensemble: Ensemble) -> Iterator[str]:
    yield f"takes: patch features of width {record['dim_in']}, scale `{record['feature_norm']}`" + (
        f", encoder: {record['encoder']}" if record["encoder"] else " (the encoder is not recorded)"
    )
    facts = ensemble.facts
    if facts is not None:
        size = "" if facts.patch_um is None else f"; patches of {facts.patch_um:.4g} micrometres"
        yield f"features of the training slides: mean length {facts.mean_length:.4g} a patch{size}"
    if ensemble.has_slide_anchors:
        yield "needs anchors of each slide (`run_clustering.py --scope slide`, then `--anchors`)"
    unit = record["unit"]
    if ensemble.class_names is not None:
        names = ", ".join(f"{name} = {index}" for index, name in enumerate(ensemble.class_names))
        yield f"gives: the probability of each class ({names}) of a {unit}"
        for fold in ensemble.folds:
            if fold.threshold is not None:
                yield (
                    f"fold {fold.index}: threshold of the probability of {ensemble.class_names[1]} "
                    f"{fold.threshold:.3f} (Youden's J of its validation cases)"
                )
    else:
        yield f"gives: hazards of {record['n_outputs']} time bins, and a risk (higher = earlier death), of a {unit}"
        for fold in ensemble.folds:
            edges = ", ".join(f"{edge:.4g} months" for edge in fold.inner_edges or ()) or "not known"
            yield f"fold {fold.index}: inner edges of the time bins {edges}; cut-off of the risk {fold.cut_off:.4g}"
    yield f"folds: {', '.join(str(fold.index) for fold in ensemble.folds)}; the ensemble is their mean"


def _cohort(record: Mapping[str, Any]) -> str:
    """The counts of the training part of each fold."""
    parts = {name: counts.get("train", {}) for name, counts in (record["cohort"] or {}).items()}
    if not parts:
        return "The run recorded no counts of its cohort."
    columns = list(dict.fromkeys(key for counts in parts.values() for key in counts))
    rows = [["fold", *(column.replace("_", " ") for column in columns)]]
    for name, counts in parts.items():
        rows.append([name.removeprefix("fold"), *(_text(counts.get(column)) for column in columns)])
    return markdown_table(rows)


def _metrics(record: Mapping[str, Any]) -> str:
    metrics = record["metrics"]
    if metrics is None:
        return "No test fold was predicted before the export."
    names = [name for name in TASKS[record["task"]].shown if metrics["mean"].get(name) is not None]
    rows = [["", *(METRIC_WORDS[name] for name in names)]]
    rows.append(["mean ± std", *(mean_text(metrics, name) for name in names)])
    folds = ", ".join(map(str, metrics["folds"]))
    about = f"Over the test parts of folds {folds}, each predicted by its own fold; population standard deviation."
    return f"{markdown_table(rows)}\n\n{about}"


def _provenance(record: Mapping[str, Any]) -> Iterator[str]:
    git = record.get("git") or {}
    yield f"run {record['run_name']}, seed {record['seed']}, begun {record.get('started') or 'at an unknown time'}"
    yield f"code: git commit {git.get('commit', 'not recorded')}" + (" with changes" if git.get("modified") else "")
    versions = record.get("versions") or {}
    yield "versions: " + (", ".join(f"{name} {version}" for name, version in versions.items()) or "not recorded")


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {number}" for name, number in value.items())
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _list(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
