"""Numbers and lists in words, for sentences that people read."""

from __future__ import annotations

from collections.abc import Iterable


def counted(number_of: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "fold"), counted(4, "fold"), counted(0, "case")
    ('1 fold', '4 folds', '0 cases')
    """
    return f"{number_of} {agreeing(number_of, noun, plural or noun + 's')}"


def agreeing(number_of: int, singular: str, plural: str) -> str:
    """The form of a word that goes with a number.

    >>> [f"{n} of 3 slides {agreeing(n, 'has', 'have')} features" for n in (1, 2)]
    ['1 of 3 slides has features', '2 of 3 slides have features']
    """
    return singular if number_of == 1 else plural


def quoted(words: Iterable[str]) -> list[str]:
    """Words in quotation marks, for a list of words that may hold commas and blanks themselves.

    >>> quoted(["IDC", "mucinous, other"])
    ["'IDC'", "'mucinous, other'"]
    """
    return [repr(word) for word in words]


def listed(items: Iterable[object]) -> str:
    """Items in words; empty for none.

    >>> listed([0]), listed([0, 1]), listed([0, 1, 3])
    ('0', '0 and 1', '0, 1 and 3')
    """
    words = [str(item) for item in items]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def numbered(noun: str, numbers: Iterable[int]) -> str:
    """Things that have numbers, with these.

    >>> numbered("fold", [3]), numbered("seed", [2024, 2025])
    ('fold 3', 'seeds 2024 and 2025')
    """
    words = [str(number) for number in numbers]
    return f"{agreeing(len(words), noun, noun + 's')} {listed(words)}"


def duration(seconds: float) -> str:
    """A time span for a reader, rounded to what matters.

    >>> [duration(value) for value in (0.4, 42, 59.7, 125, 3599, 3661, 100_000)]
    ['1 s', '42 s', '1 min', '2 min', '1 h', '1 h 1 min', '27 h 47 min']
    """
    whole = max(1, round(seconds))
    minutes = round(whole / 60)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h" + (f" {rest} min" if rest else "")


def size_in_words(n_bytes: int) -> str:
    """Bytes in the unit that fits.

    >>> size_in_words(15_520_000_000), size_in_words(4_250_000), size_in_words(900)
    ('15.5 GB', '4.2 MB', '1 kB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"
