"""How the classes of a run are called where people read of them: `malignant (class 1)`, or `class 1` without names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from utils.runs.run_record import class_names


@dataclass(frozen=True)
class ClassWords:
    """The classes 0..C-1 in words.

    Attributes:
        names: of the classes, in the order of their numbers; without names, their numbers as text.
    """

    names: tuple[str, ...]

    @classmethod
    def of(cls, run: Mapping[str, Any], n_classes: int) -> ClassWords:
        """Those of a run, by its `run.json`; numbers where it names another number of classes."""
        names = class_names(run, n_classes)
        return cls(tuple(names)) if len(names) == n_classes else cls.numbered(n_classes)

    @classmethod
    def numbered(cls, n_classes: int) -> ClassWords:
        """Those of classes without names."""
        return cls(tuple(map(str, range(n_classes))))

    @classmethod
    def named(cls, names: Sequence[str] | None, n_classes: int) -> ClassWords:
        """Those of these names, or of none."""
        return cls.numbered(n_classes) if names is None else cls(tuple(names))

    @property
    def are_names(self) -> bool:
        """Whether the classes have names beside their numbers."""
        return self != ClassWords.numbered(len(self.names))

    def brief(self, index: int) -> str:
        """A class where room is short.

        >>> words = ClassWords(("benign", "malignant")), ClassWords(("0", "1")), ClassWords(("1", "2"))
        >>> [one.brief(1) for one in words]
        ['malignant', 'class 1', '2 (class 1)']
        """
        name = self.names[index]
        return name if self.are_names and not name.isdigit() else self.full(index)

    def full(self, index: int) -> str:
        """A class with its name and its number, which columns of files have.

        >>> ClassWords(("benign", "malignant")).full(1), ClassWords(("0", "1")).full(1)
        ('malignant (class 1)', 'class 1')
        """
        return f"{self.names[index]} (class {index})" if self.are_names else f"class {index}"

    def against(self, positive: int) -> str:
        """What a ROC curve of a class is drawn against.

        >>> ClassWords(("benign", "malignant")).against(1), ClassWords(("0", "1", "2")).against(1)
        ('malignant (class 1) against benign (class 0)', 'class 1 against the rest')
        """
        other = self.full(1 - positive) if len(self.names) == 2 else "the rest"
        return f"{self.full(positive)} against {other}"
