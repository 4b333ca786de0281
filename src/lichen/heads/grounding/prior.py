"""What a detector's class says about a phrase: a "dog" box is a better "small puppy" than a "car" box.

Words and names of classes are vectors of one table: the rows of a file of word vectors (GloVe, word2vec and fastText
all have a text form), or what a frozen text backbone makes of each word by itself.

Source: graphs.md 2.1 and 2.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from ...backbones.backbone import Backbone
from ...errors import InputError
from ..texts import text_vectors

_WORD = re.compile(r"[\w'-]+")


class WordVectors:
    """Words and their vectors, in lower case. A word without a vector is left out of every mean.

    Raises:
        InputError: not one vector a word, or a vector that is not finite.
    """

    def __init__(self, words: Sequence[str], vectors: Float[Tensor, "words width"]) -> None:
        if len(words) != len(vectors):
            raise InputError(f"There are {len(words)} words but {len(vectors)} vectors.")
        if not bool(vectors.isfinite().all()):
            raise InputError(
                f"The vector of {words[int((~vectors.isfinite()).any(1).nonzero()[0, 0])]!r} is not finite."
            )
        self.vectors = normalize(vectors, dim=1)
        # The first of equals stays: files of word vectors are sorted by frequency.
        self.rows: dict[str, int] = {}
        for row, word in enumerate(words):
            self.rows.setdefault(word.lower(), row)

    @classmethod
    def load(cls, source: str, words: Iterable[str]) -> WordVectors:
        """From a file of word vectors, or else by a frozen text backbone of this name; see `read` and `of`.

        Args:
            source: a file; or "embedded:<name>", a folder or a hub id.
            words: all that a backbone will be asked for, names of classes included; a file is read whole.
        """
        path = Path(source)
        return cls.read(path) if path.is_file() else cls.of(Backbone.from_pretrained(source), words)

    @classmethod
    def read(cls, path: str | Path, words: Iterable[str] | None = None) -> WordVectors:
        """From a text file: a word and its numbers a line, as GloVe's; a first line of two numbers is passed over.

        Args:
            words: those that are wanted; None for all.

        Raises:
            InputError: no such file, or a line that holds no vector of the others' width.
        """
        wanted = None if words is None else {word.lower() for word in words}
        names: list[str] = []
        rows: list[list[float]] = []
        try:
            with Path(path).open(encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    parts = line.rstrip().split(" ")
                    if number == 1 and len(parts) == 2:
                        continue
                    if wanted is not None and parts[0].lower() not in wanted:
                        continue
                    names.append(parts[0])
                    rows.append([float(value) for value in parts[1:]])
                    if len(rows[-1]) != len(rows[0]) or not rows[-1]:
                        raise ValueError(f"{len(rows[-1])} numbers instead of {len(rows[0])}")
        except OSError as error:
            raise InputError(f"Word vectors are read from a text file; {str(path)!r}: {error.strerror}.") from error
        except ValueError as error:
            raise InputError(f"{str(path)!r}, line {number}, is no word with its vector: {error}.") from error
        if not rows:
            raise InputError(f"{str(path)!r} holds no vector of any word that is wanted.")
        return cls(names, torch.tensor(rows))

    @classmethod
    def of(cls, backbone: Any, words: Iterable[str], batch: int = 256) -> WordVectors:
        """What a frozen text backbone makes of each word by itself: its pooled output, or the mean of its tokens.

        Args:
            backbone: a `Backbone` with a tokenizer.
            words: all that will be asked for, names of classes included.

        Raises:
            InputError: no words, or a backbone without a tokenizer.
        """
        names = sorted({word for text in words for word in split_words(text)})
        vectors = text_vectors(backbone, names, batch)
        # Such vectors share a direction that says nothing about the word, and would make all words alike.
        return cls(names, vectors - vectors.mean(0))

    def means(self, texts: Sequence[str]) -> Float[Tensor, "texts width"]:
        """Mean of the unit vectors of each text's words; zeros for a text of which no word is known."""
        rows, owner = [], []
        for number, text in enumerate(texts):
            known = [self.rows[word] for word in split_words(text) if word in self.rows]
            rows += known
            owner += [number] * len(known)
        total = self.vectors.new_zeros(len(texts), self.vectors.shape[1])
        place = torch.tensor(owner, dtype=torch.long)
        total = total.index_add(0, place, self.vectors[torch.tensor(rows, dtype=torch.long)])
        return total / torch.bincount(place, minlength=len(texts)).clamp(min=1)[:, None]


def split_words(text: str) -> list[str]:
    """Words of a phrase or of a class's name, in lower case."""
    return _WORD.findall(text.lower())


def label_prior(
    phrases: Float[Tensor, "phrases width"], classes: Float[Tensor, "classes width"], floor: float | int = 0
) -> Float[Tensor, "phrases classes"]:
    """How well each class suits each phrase: mean cosine over the words of the phrase, nothing below zero.

    Args:
        phrases: means of the unit vectors of their words, see `WordVectors.means`.
        classes: a vector a class, of any length; zeros for a class without one.
        floor: likeness that any two words have, taken off; 0 as published.
    """
    return (phrases @ normalize(classes, dim=1).T - floor).relu()


def prior_table(
    phrases: Sequence[str], names: Sequence[str], vectors: WordVectors, floor: float | int = 0
) -> Float[Tensor, "phrases classes"]:
    """`label_prior` of texts.

    Args:
        phrases: texts of the phrases of a batch.
        names: of the classes, by label.
    """
    return label_prior(vectors.means(phrases), vectors.means(names), floor)
