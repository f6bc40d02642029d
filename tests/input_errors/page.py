"""The page of all mistakes and what is said about them, made by making each of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from datasets.slides.index_folder import INDEX_NAME
from tests.input_errors.case import CASES, Case
from tests.input_errors.cases import anchors, clinical, features, labels, options, packs, results, splits
from tests.input_errors.cohort import CLUSTERING, TRAINED, copy_template, write_cohort
from tests.input_errors.commands import Ended, call, contents, in_folder

PAGE = Path(__file__).parents[2] / "docs" / "input_errors.md"
# The headings in their order: importing a module of cases has noted them.
KINDS = tuple(module.KIND for module in (features, packs, splits, labels, anchors, options, results, clinical))
_HEAD = """# What is said about mistakes

Each mistake below ends the command with exit code 2 and one sentence on standard error, and changes nothing on the
disk but the [index of the features](data_formats.md#index-of-the-features). The sentences are those of the commands:
`python -m tests.input_errors --write` makes every mistake on a small cohort and writes this page, and a test fails
where page and commands differ. `…` stands for what differs between machines and versions of libraries.

The cohort has the slides `s01` to `s12` in `features`, folds in `splits` (classification) and `surv` (survival), the
table `labels.csv`, anchors in `anchors` and a finished run in `results/cls/toy/mico_released`.
"""


@dataclass(frozen=True)
class Told:
    """What a case ended in, and which files it changed."""

    case: Case
    ended: Ended
    changed: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was said, as the page has it."""
        return self.case.shown(self.ended.err.strip())


def write_template(folder: Path) -> None:
    """The working folder that each case gets a copy of."""
    write_cohort(folder)
    with in_folder(folder):
        for command in (
            TRAINED,
            f"{CLUSTERING} --scope dataset --fold_csv splits/fold0.csv",
            f"{CLUSTERING} --scope slide",
        ):
            ended = call(command)
            if ended.status != 0:
                raise RuntimeError(f"{command}: {ended.err}")


def tell(case: Case, template: Path, folder: Path) -> Told:
    """Make a mistake in a copy of the template, and run its command."""
    copy_template(template, folder)
    with in_folder(folder):
        command = case.make()
        before = contents(folder)
        ended = call(command)
        after = contents(folder)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    changed = [
        name for name in changed if Path(name).name != INDEX_NAME
    ]  # what was found of the files without mistakes
    return Told(case, ended, tuple(changed))


def tell_all() -> list[Told]:
    """All cases, in the order of the page."""
    with tempfile.TemporaryDirectory() as scratch:
        template = Path(scratch) / "template"
        write_template(template)
        cases = sorted(CASES, key=lambda case: KINDS.index(case.kind))
        return [tell(case, template, Path(scratch) / str(number)) for number, case in enumerate(cases)]


def page_of(told: Iterable[Told]) -> str:
    """The page."""
    parts = [_HEAD]
    for kind, of_kind in groupby(told, key=lambda one: one.case.kind):
        rows = [f"| {one.case.wrong} | {_cell(one.sentence)} |" for one in of_kind]
        parts.append("\n".join([f"\n## {kind}\n", "| mistake | sentence |", "|---|---|", *rows]) + "\n")
    return "".join(parts)


def _cell(text: str) -> str:
    """A text in code style, in a cell of a table."""
    marks = "``" if "`" in text else "`"
    return f"{marks}{text}{marks}".replace("|", "\\|")
