"""Parsed captions of a batch as one `Captions`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from ...errors import InputError
from ...language.phrases import Parsed
from ...language.vocabulary import Predicates, Vocabulary
from .captions import Captions


def collate(
    parsed: Sequence[Parsed],
    phrase_words: Vocabulary,
    predicates: Predicates,
    *,
    words: Vocabulary | None = None,
    offsets: Int[Tensor, "captions tokens 2"] | None = None,
    picture: Sequence[int] | None = None,
) -> Captions:
    """Captions with their phrases and relations as numbers.

    Args:
        parsed: the captions, see `language.phrases.parse`. Some may have no phrase.
        phrase_words: words by which phrases are rebuilt.
        predicates: categories of relations.
        words: words that the captions are read by, for `GRUSentences`; None where a text backbone reads them.
        offsets: for a text backbone: first character of each token, and one past its last, as tokenizers give them with
            `return_offsets_mapping=True`; (0, 0) for tokens that stand for no characters.
        picture: which picture each caption describes; in order if left out.

    Raises:
        InputError: neither words nor offsets, a phrase of which the text backbone reads no token (the caption was cut
            off), or not one picture a caption.
    """
    if (words is None) == (offsets is None):
        raise InputError(
            "Captions are read either by words= of a vocabulary or by offsets= of a text backbone's tokens."
        )
    if picture is not None and len(picture) != len(parsed):
        raise InputError(f"There are {len(parsed)} captions but {len(picture)} pictures of them.")
    owner = [number for number, one in enumerate(parsed) for _ in one.spans]
    spoken = [
        phrase_words.ids(word.text for word in one.words[first:last]) for one in parsed for first, last in one.places
    ]
    first = [0]
    for one in parsed:
        first.append(first[-1] + len(one.spans))
    said = [(first[number] + s.subject, first[number] + s.object, s.text)
            for number, one in enumerate(parsed) for s in one.relations]  # fmt: skip
    categories = torch.zeros(len(said), len(predicates.names))
    for row, (_, _, text) in enumerate(said):
        categories[row, predicates.of(text)] = 1
    tokens = None
    if words is not None:
        tokens = _padded([words.ids(word.text for word in one.words) for one in parsed])
        spans = torch.tensor([place for one in parsed for place in one.places], dtype=torch.long).reshape(-1, 2)
    else:
        assert offsets is not None
        spans = _token_spans(parsed, offsets, owner)
    return Captions(
        picture=torch.arange(len(parsed)) if picture is None else torch.tensor(list(picture), dtype=torch.long),
        caption=torch.tensor(owner, dtype=torch.long),
        spans=spans,
        spoken=_padded(spoken),
        relations=torch.tensor([pair[:2] for pair in said], dtype=torch.long).reshape(-1, 2),
        categories=categories,
        tokens=tokens,
    )


def _padded(rows: Sequence[Sequence[int]]) -> Int[Tensor, "rows longest"]:
    longest = max(map(len, rows), default=0)
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], dtype=torch.long).reshape(
        len(rows), longest
    )


def _token_spans(
    parsed: Sequence[Parsed], offsets: Int[Tensor, "captions tokens 2"], owner: Sequence[int]
) -> Int[Tensor, "phrases 2"]:
    """First token of each phrase and one past its last, by the characters that tokens stand for."""
    if len(offsets) != len(parsed):
        raise InputError(f"There are {len(parsed)} captions but offsets of {len(offsets)}.")
    characters = torch.tensor([span for one in parsed for span in one.spans], dtype=torch.long).reshape(-1, 2)
    starts, ends = offsets[torch.tensor(owner, dtype=torch.long)].unbind(2)
    inside = (ends > characters[:, :1]) & (starts < characters[:, 1:]) & (ends > starts)
    missing = ~inside.any(1)
    if bool(missing.any()):
        row = int(missing.nonzero()[0, 0])
        start, end = characters[row].tolist()
        caption = parsed[owner[row]].caption
        raise InputError(
            f"The text backbone reads no token of the phrase {caption[start:end]!r} in {caption[:60]!r}: the caption "
            "was cut off before it. Leave the phrase out, or let the tokenizer read more."
        )
    place = torch.arange(offsets.shape[1])
    first = torch.where(inside, place, offsets.shape[1]).amin(1)
    last = torch.where(inside, place, -1).amax(1) + 1
    return torch.stack([first, last], 1)
