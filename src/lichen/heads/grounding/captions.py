"""`Captions`: a batch of sentences with their phrases and relations, flat, as numbers.

Phrases of all captions are one list, relations another; each says what it belongs to. Tokens are whatever the sentence
encoder reads: words of a vocabulary, or the tokens of a frozen text backbone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError
from ...regions.groups import segment_rows, starts_of

END = 0
"""Id that ends a phrase and fills rows up, in both vocabularies."""


@dataclass(frozen=True, eq=False)
class Captions:
    """Sentences about the pictures of a batch. `validate` checks values; the constructor checks shapes only."""

    picture: Int[Tensor, " captions"]
    """Which picture of the batch each caption describes. Several may describe one."""
    caption: Int[Tensor, " phrases"]
    """Which caption each phrase is part of; never decreasing."""
    spans: Int[Tensor, "phrases 2"]
    """First token of each phrase in its caption, and one past its last."""
    spoken: Int[Tensor, "phrases words"]
    """Words of each phrase in the vocabulary of phrases, padded with 0, which also ends a phrase."""
    relations: Int[Tensor, "relations 2"]
    """Subject and object of each relation: numbers of phrases of one caption."""
    categories: Float[Tensor, "relations categories"]
    """1 for every category that a relation has. One without any still lets its phrases exchange context."""
    tokens: Int[Tensor, "captions longest"] | None = None
    """Ids of the captions' words, padded with 0; None where a frozen text backbone reads the captions."""

    def __len__(self) -> int:
        """Number of captions."""
        return len(self.picture)

    @property
    def phrases(self) -> int:
        """Number of phrases of all captions."""
        return len(self.caption)

    @cached_property
    def places(self) -> tuple[Int[Tensor, " places"], Int[Tensor, " places"]]:
        """Phrase and token of every place in every phrase: rows of one flat list."""
        counts = self.spans[:, 1] - self.spans[:, 0]
        phrase = torch.arange(self.phrases, device=counts.device).repeat_interleave(counts)
        return phrase, segment_rows(self.spans[:, 0], counts)

    def to(self, device: torch.device | str) -> Captions:
        """The same on another device, and in no other type."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(self, **{name: value.to(device) for name, value in values.items() if value is not None})

    def take(self, rows: Int[Tensor, " chosen"], picture: Int[Tensor, " chosen"]) -> Captions:
        """Some captions with their phrases and relations, as a batch in this order.

        Args:
            rows: of the captions.
            picture: which picture of the new batch each of them describes.
        """
        counts = torch.bincount(self.caption, minlength=len(self))
        starts = starts_of(counts)
        phrases = segment_rows(starts[rows], counts[rows])
        said = self.caption[self.relations[:, 0]]
        related = torch.bincount(said, minlength=len(self))
        relations = segment_rows(starts_of(related)[rows], related[rows])
        owner = torch.arange(len(rows), device=rows.device)
        new = starts_of(counts[rows])
        moved = new[owner.repeat_interleave(related[rows])] - starts[said[relations]]
        return replace(
            self,
            picture=picture,
            caption=owner.repeat_interleave(counts[rows]),
            spans=self.spans[phrases],
            spoken=_trimmed(self.spoken[phrases]),
            relations=self.relations[relations] + moved[:, None],
            categories=self.categories[relations],
            tokens=None if self.tokens is None else _trimmed(self.tokens[rows]),
        )

    def validate(self, pictures: int, longest: int | None = None) -> Captions:
        """Check every value. It waits for the device, so it is for what comes in, not for every step.

        Args:
            pictures: how many there are in the batch.
            longest: tokens of a caption, padding included, where `tokens` is None.

        Returns:
            The captions themselves.

        Raises:
            InputError: a picture, caption or phrase that is not there, a span that is empty or outside its caption, a
                phrase without words, or a relation of a phrase to itself or to one of another caption.
        """
        _check_range("picture of a caption", self.picture, pictures)
        _check_range("caption of a phrase", self.caption, len(self))
        _check_range("phrase of a relation", self.relations.flatten(), self.phrases)
        if bool((self.caption.diff() < 0).any()):
            raise InputError("Phrases of a caption lie together, in the order of the captions.")
        if self.tokens is not None:
            length = (self.tokens != END).sum(1)[self.caption]
        else:
            length = torch.full_like(self.caption, torch.iinfo(torch.long).max if longest is None else longest)
        bad = (self.spans[:, 0] < 0) | (self.spans[:, 1] <= self.spans[:, 0]) | (self.spans[:, 1] > length)
        if bool(bad.any()):
            row = int(bad.nonzero()[0, 0])
            raise InputError(
                f"Phrase {row} reaches from token {int(self.spans[row, 0])} to {int(self.spans[row, 1])}, but its "
                f"caption has {int(length[row])}, numbered from 0; a phrase holds at least one."
            )
        if (self.spoken.shape[1] == 0 and self.phrases) or bool((self.spoken[:, :1] == END).any()):
            raise InputError("Every phrase needs at least one word that can be rebuilt.")
        subject, thing = self.relations.unbind(1)
        if bool((subject == thing).any()):
            raise InputError(f"Phrase {int(subject[subject == thing][0])} is related to itself.")
        if bool((self.caption[subject] != self.caption[thing]).any()):
            raise InputError("A relation ties two phrases of one caption.")
        return self


def _trimmed(ids: Int[Tensor, "rows padded"]) -> Int[Tensor, "rows longest"]:
    """Ids without the columns that are padding in every row."""
    return ids[:, : int((ids != END).sum(1).max())] if len(ids) else ids


def _check_range(what: str, values: Tensor, count: int) -> None:
    if values.numel() and (int(values.min()) < 0 or int(values.max()) >= count):
        raise InputError(f"The {what} is a number from 0 to {count - 1}; got {int(values.min())}–{int(values.max())}.")
