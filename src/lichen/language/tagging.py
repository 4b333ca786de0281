"""Words of a caption with where they stand, and the part of speech that each most likely is.

The tags: D determiner, Q quantity, A adjective, N noun, O pronoun, X auxiliary, V finite verb, G form in -ing,
T past participle, P preposition, R adverb, C "and", K start of a clause, W relative pronoun, E "there" of "there is",
S possessive 's, and the comma for all punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from . import lexicon as of

_WORD = re.compile(r"'s\b|[^\W_]+(?:[-'’](?!s\b)[^\W_]+)*|[^\w\s]")


@dataclass(frozen=True)
class Word:
    """A word or a mark of a caption."""

    text: str
    """In lower case."""
    start: int
    """Its first character in the caption."""
    end: int
    """One past its last."""


def split(caption: str) -> tuple[Word, ...]:
    """Words and marks of a caption, in order; "man's" is two."""
    return tuple(
        Word(found[0].lower().replace("’", "'"), found.start(), found.end())
        for found in _WORD.finditer(caption.replace("’", "'"))
    )


def tag(words: Sequence[str]) -> list[str]:
    """A tag for each word, in lower case."""
    tags = [_alone(word) for word in words]
    for place in range(len(words)):
        tags[place] = _between(words, tags, place)
    return tags


def is_plural(word: str) -> bool:
    """Whether a noun takes a verb without s."""
    return word in of.PLURALS or (word.endswith("s") and not word.endswith(("ss", "us", "is")))


_CLASSES = (
    ("D", of.DETERMINERS),
    ("Q", of.QUANTITIES),
    ("O", of.PRONOUNS),
    ("X", of.AUXILIARIES),
    ("C", of.CONJUNCTIONS),
    ("W", of.RELATIVES),
    ("K", of.CLAUSES),
    ("P", of.PREPOSITIONS),
    ("R", of.ADVERBS),
    ("N", of.NOUNS_IN_ING),
    ("A", of.ADJECTIVES),
)
_KINDS = {"s": "V", "base": "V", "ing": "G", "ed": "T"}


def _alone(word: str) -> str:
    """The tag of a word by itself."""
    if word == "'s":
        return "S"
    if not word[0].isalnum() and word != "&":
        return ","
    if word.isdigit():
        return "Q"
    for name, members in _CLASSES:
        if word in members:
            return name
    if word in of.forms():
        return _KINDS[of.forms()[word][1]]
    if word.endswith("ing") and len(word) > 5:
        return "G"
    if word.endswith("ed") and len(word) > 4:
        return "T"
    return "R" if word.endswith("ly") else "N"


def _between(words: Sequence[str], tags: Sequence[str], place: int) -> str:
    """The tag of a word among its neighbours; those before it are decided."""
    word, own = words[place], tags[place]
    before = tags[place - 1] if place else "^"
    after = tags[place + 1] if place + 1 < len(tags) else "$"
    told = before in ("D", "A", "Q", "S")
    if own == "W" and word == "that" and after in ("N", "A") and before != "N":
        return "D"
    if own == "D" and word in ("that", "what") and before == "N":
        return "W"
    if own == "R" and word == "there" and after == "X":
        return "E"
    if own == "K" and word == "as" and after in ("D", "N", "A") and before == "T":
        return "P"
    if own == "X" and word in ("has", "have", "had", "'s") and after in ("D", "Q", "A", "N"):
        return "V"
    if own == "G":
        # "a sleeping cat", "dining table"; but "holding balloons".
        joins = word in of.ALWAYS_COMPOUNDING or (word in of.COMPOUNDING and before in ("P", "C", ","))
        modifies = (told or joins) and before not in ("X", "O")
        return "A" if modifies and _noun_follows(words, tags, place) else own
    if own == "N" and word in of.NOUNS_IN_ING and before == "X" and after in ("D", "Q", "A", "N", "P"):
        return "G"
    if own == "A" and word in of.NOUNS_TOO and before not in ("X", "R"):
        return "N" if before == "N" or after not in ("N", "A", "C", "G") else own
    if own == "T":
        return "A" if after in ("N", "A") and before not in ("X", "O") else own
    if own == "V":
        return _verb_or_noun(words, tags, place)
    if own == "A" and word in of.forms() and before in ("N", "O") and after in ("D", "P"):
        return "V"
    if own == "P" and word in ("up", "down", "out", "off", "outside", "inside", "about") and after not in "DNAQO":
        return "R"
    return own


def _noun_follows(words: Sequence[str], tags: Sequence[str], place: int) -> bool:
    """Whether only adjectives stand between here and a noun."""
    for tag in tags[place + 1 :]:
        if tag == "N":
            return True
        if tag != "A":
            return False
    return False


def _verb_or_noun(words: Sequence[str], tags: Sequence[str], place: int) -> str:
    """A form that may be a finite verb: it is one behind a noun that fits, if what follows allows it."""
    base, kind = of.forms()[words[place]]
    before = tags[place - 1] if place else "^"
    after = tags[place + 1] if place + 1 < len(tags) else "$"
    if before in ("X", "O", "W", "E") or (words[place - 1 : place] == ["to"] and kind == "base"):
        return "V"
    if before == "R":
        return "V" if after in ("D", "P", "R", "$", ",", "G", "Q") else "N"
    if words[place : place + 2] in (["look", "at"], ["looks", "at"]) and before == "N":
        return "V"
    if before not in ("N", "C", "A") or (before == "A" and words[place - 1] not in of.COLOURS):
        return "N"
    several = is_plural(words[place - 1]) or "C" in tags[max(place - 3, 0) : place]
    if kind == "base" and not several:
        return "N"
    if base in of.AMBIGUOUS:
        ends = after in (",", "$", "K") and before == "N" and (kind == "s" or is_plural(words[place - 1]))
        return "V" if ends or after in ("D", "P", "R", "O", "Q", "G") else "N"
    return "V"
