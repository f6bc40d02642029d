from __future__ import annotations

import pytest

from datasets.make_splits.vocabulary import describe_status, is_event, is_missing, missing_words
from utils.errors import UserError

# As cBioPortal, the GDC, TCGA, Excel, pandas, R, SQL and people write them.
MISSING = """[Not Available]|[Not Applicable]|[Not Evaluated]|[Unknown]|[Discrepancy]|[Completed]|[Pending]|NA|N/A|n/a
#N/A|#VALUE!|#REF!|#DIV/0!|nan|NaN|NAN|<NA>|null|NULL|None|NONE|'--|--|-|–|unknown|Unknown|UNKNOWN|not reported
Not Reported|Not Available|.|?|missing| NA |""".replace("\n", "|").split("|")

EVENT = ["1:DECEASED", "1: deceased", "DECEASED", "Dead", "dead", "died", "Dead of Disease", "1:Recurred/Progressed"]
EVENT += ["1:PROGRESSION", "1:DEAD WITH TUMOR", "Event", "uncensored"]
CENSORED = ["0:LIVING", "LIVING", "Alive", "alive ", "0:DiseaseFree", "0:CENSORED", "Censored", "no event"]
CENSORED += ["0:ALIVE OR DEAD TUMOR FREE", "Disease-free", "disease_free", "Lost to follow-up"]
YES, NO = ["1", "1.0", "1.", "TRUE", "True", "yes", "Y", "t"], ["0", "0.0", "FALSE", "false", "No", "n"]


@pytest.mark.parametrize("word", MISSING)
def test_words_that_mean_that_a_value_is_missing(word: str):
    assert is_missing(word)
    assert is_event(word, one_is_event=True) is None


@pytest.mark.parametrize(
    "word", ["0", "0.0", "A", "No", "negative", "Normal", "NAT1", "nana", "Not", "[x]", "--x", "IDC"]
)
def test_words_that_are_values(word: str):
    assert not is_missing(word)


def test_a_user_adds_words_and_keeps_classes():
    words = missing_words(["Pending review", "999"])
    assert is_missing("PENDING REVIEW", words)
    assert is_missing("999", words)
    assert is_missing("", words)
    kept = missing_words(classes=["None", "Tumour"])
    assert not is_missing("None", kept)
    assert is_missing("NA", kept)
    with pytest.raises(UserError, match="'none' is among --missing and among --classes"):
        missing_words(["None"], ["none"])


@pytest.mark.parametrize("one_is_event", [True, False])
@pytest.mark.parametrize(("word", "event"), [*((w, True) for w in EVENT), *((w, False) for w in CENSORED)])
def test_words_of_life_and_death_mean_the_same_in_every_column(word: str, event: bool, one_is_event: bool):
    assert is_event(word, one_is_event=one_is_event) is event


@pytest.mark.parametrize(("word", "one"), [*((w, True) for w in YES), *((w, False) for w in NO)])
def test_one_and_zero_mean_what_the_column_says(word: str, one: bool):
    assert is_event(word, one_is_event=True) is one
    assert is_event(word, one_is_event=False) is not one


@pytest.mark.parametrize("word", ["2", "-1", "0.5", "10", "maybe", "dead or alive", "2:DEAD", ":", "1:"])
def test_unknown_words(word: str):
    assert is_event(word, one_is_event=True) is None


def test_a_number_before_an_unknown_word_counts_where_1_is_an_event():
    assert is_event("1:Metastasis", one_is_event=True) is True
    assert is_event("0:None seen", one_is_event=True) is False
    assert is_event("1:Metastasis", one_is_event=False) is None


def test_contradictions():
    for word in ("1:LIVING", "0:DECEASED"):
        with pytest.raises(UserError, match=f"'{word}' contradicts itself"):
            is_event(word, one_is_event=True)
    # In a column of censorship, 1 may stand for the word that follows it.
    assert is_event("1:censored", one_is_event=False) is False


def test_a_message_names_the_words():
    assert "(one of 1, TRUE, yes, dead," in describe_status(one_is_event=True)
    assert "a censored case (one of 1, TRUE, yes, alive," in describe_status(one_is_event=False)
