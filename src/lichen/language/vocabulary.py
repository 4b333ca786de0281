"""`Vocabulary`: whole words as numbers; `Predicates`: words of relations as categories frequent enough to learn.

Source: graphs.md 2.1: ids from 1, and 0 to fill up and to end; relations merged into some 88 categories, several of
which one relation may have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import InputError
from . import lexicon as of

FIRST = 1
"""Id of the first word; 0 is no word."""


@dataclass(frozen=True)
class Vocabulary:
    """Words and their ids. What is not among them is one and the same unknown word."""

    words: tuple[str, ...]
    """In the order of their ids."""

    @classmethod
    def learn(cls, texts: Iterable[Iterable[str]], least: int = 1) -> Vocabulary:
        """The words of texts, the most frequent first.

        Args:
            texts: each as its words, in lower case.
            least: how often a word must occur.

        Raises:
            InputError: no word is that frequent.
        """
        counts = Counter(word for text in texts for word in text)
        words = sorted((word for word, count in counts.items() if count >= least), key=lambda w: (-counts[w], w))
        if not words:
            raise InputError(f"A vocabulary needs words that occur at least {least} times; there is none.")
        return cls(tuple(words))

    @property
    def size(self) -> int:
        """Ids that there are: 0, the words, and the unknown word."""
        return len(self.words) + 2

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, FIRST)}

    def ids(self, words: Iterable[str]) -> list[int]:
        """Ids of words, in lower case."""
        known, unknown = self._ids, self.size - 1
        return [known.get(word, unknown) for word in words]

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` reads."""
        return {"words": list(self.words)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Vocabulary:
        """The inverse of `to_dict`.

        Raises:
            InputError: no list of words, each once.
        """
        words = values.get("words")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise InputError("A vocabulary is a list of words under 'words'.")
        if len(set(words)) < len(words):
            raise InputError("A vocabulary holds each word once.")
        return cls(tuple(words))


@dataclass(frozen=True)
class Predicates:
    """Categories of relations, by base forms: "sits on" and "sitting on" are "sit on"."""

    names: tuple[str, ...]
    counts: tuple[int, ...]
    """How often each occurred in the relations that they were learnt from."""

    def __post_init__(self) -> None:
        if len(self.names) != len(self.counts):
            raise InputError(f"There are {len(self.names)} categories of relations but {len(self.counts)} counts.")

    @classmethod
    def learn(cls, texts: Iterable[str], most: int = 88, least: int = 5) -> Predicates:
        """The most frequent categories of relations.

        Args:
            texts: words of relations, as `Said.text` has them.
            most: how many are kept.
            least: how often each must occur.
        """
        counts = Counter(key for text in texts for key in keys(text))
        names = sorted((key for key, count in counts.items() if count >= least), key=lambda k: (-counts[k], k))[:most]
        return cls(tuple(names), tuple(counts[name] for name in names))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def of(self, text: str) -> list[int]:
        """Places of the categories that a relation has; none if it is too rare."""
        return [self._places[key] for key in keys(text) if key in self._places]

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` reads."""
        return {"names": list(self.names), "counts": list(self.counts)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Predicates:
        """The inverse of `to_dict`.

        Raises:
            InputError: no names and counts, or not as many of both.
        """
        names, counts = values.get("names"), values.get("counts")
        if not isinstance(names, Sequence) or not isinstance(counts, Sequence):
            raise InputError("Categories of relations are lists under 'names' and 'counts'.")
        return cls(tuple(map(str, names)), tuple(map(int, counts)))


def keys(text: str) -> list[str]:
    """Categories that a relation could have: all its words in base form; and the verb and the rest by themselves.

    "sitting on top of" is "sit on top of", "sit" and "on top of"; "held by" is "hold by" and "hold".
    """
    words = text.lower().split()
    if not words:
        return []
    first, rest = words[0], words[1:]
    verb = of.lemma(first) if first not in of.PREPOSITIONS else first
    whole = " ".join([verb, *rest])
    if not rest or first in of.PREPOSITIONS:
        return [whole]
    passive = rest == ["by"] and of.forms().get(first, ("", ""))[1] == "ed"
    return [whole, verb] if passive else [whole, verb, " ".join(rest)]
