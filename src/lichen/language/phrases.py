"""What a caption speaks of: its noun phrases, and which of them are related by which words.

`parse` reads with one of `PARSERS`: "rules", the library's own, for simple English captions; or "scenegraphparser", a
package on top of spaCy that ReIR's authors used. Phrases that are already known are taken as they are.

Source: graphs.md 2.1 and 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..errors import InputError, pick
from . import lexicon as of
from .chunks import Chunk, chunk, is_seen, prepositions
from .relating import Said, relate
from .tagging import Word, split, tag

Span = tuple[int, int]
"""First character of a phrase in its caption, and one past its last."""


@dataclass(frozen=True)
class Parsed:
    """A caption and what it speaks of."""

    caption: str
    words: tuple[Word, ...]
    """Words and marks, in lower case, with their places."""
    spans: tuple[Span, ...]
    """Characters of each phrase, from left to right."""
    places: tuple[Span, ...]
    """First word of each phrase, and one past its last."""
    heads: tuple[str, ...]
    """The word that each phrase is about, in lower case: "man" of "a man in red"."""
    relations: tuple[Said, ...]

    @property
    def phrases(self) -> tuple[str, ...]:
        """Texts of the phrases, as they are written."""
        return tuple(self.caption[start:end] for start, end in self.spans)


def parse(
    caption: str, phrases: Sequence[Span] | None = None, parser: str = "rules", *, join_worn: bool = False
) -> Parsed:
    """Find phrases and relations of a caption.

    Args:
        caption: one sentence, or what stands for one.
        phrases: known phrases as spans of characters, in any order; None finds them.
        parser: name in `PARSERS`.
        join_worn: whether "a man in a red shirt" is one phrase, as in the playground, or two, as in Flickr30k Entities.
            "a man in red" is one either way. Only of phrases that are found.

    Raises:
        InputError: an unknown parser, or known phrases that are empty, overlap or lie outside the caption.
        MissingPackageError: the parser's package is not installed.
    """
    words = split(caption)
    if phrases is not None:
        given = _given(caption, words, phrases)
        return PARSERS[pick("parser", parser, PARSERS)](caption, words, given)
    found = PARSERS[pick("parser", parser, PARSERS)](caption, words, None)
    return _joined(found) if join_worn else found


def _given(caption: str, words: Sequence[Word], phrases: Sequence[Span]) -> list[Chunk]:
    """Known phrases as words, from left to right."""
    result: list[Chunk] = []
    for start, end in sorted(phrases):
        if not 0 <= start < end <= len(caption):
            raise InputError(
                f"A phrase from character {start} to {end} is not inside its caption of {len(caption)} characters: "
                f"{caption[:60]!r}."
            )
        inside = [place for place, word in enumerate(words) if word.end > start and word.start < end]
        if not inside:
            raise InputError(f"The phrase {caption[start:end]!r} of the caption {caption[:60]!r} holds no word.")
        if result and inside[0] < result[-1].last:
            raise InputError(f"The phrase {caption[start:end]!r} of the caption {caption[:60]!r} overlaps another.")
        result.append(Chunk(inside[0], inside[-1] + 1, -1))
    return result


def _rules(caption: str, words: tuple[Word, ...], given: list[Chunk] | None) -> Parsed:
    """The library's own parser."""
    texts = [word.text for word in words]
    tags = tag(texts)
    for first, last in prepositions(texts, tags):
        tags[first:last] = ["P"] * (last - first)
    # Where phrases are given, the others still take part in the walk, so that no relation reaches past them.
    found = chunk(texts, tags)
    if given is None:
        chunks = _with_colour(found, texts)
        kept = [one for one in chunks if is_seen(one, texts)]
    else:
        kept = [replace(one, head=_head(one, found, tags)) for one in given]
        rest = [one for one in found if all(one.last <= other.first or one.first >= other.last for other in given)]
        chunks = sorted([*kept, *rest], key=lambda one: one.first)
    return assemble(caption, words, kept, _between(relate(texts, tags, chunks), chunks, kept))


def _head(given: Chunk, found: Sequence[Chunk], tags: Sequence[str]) -> int:
    """The word that a known phrase is about: the head of the first noun phrase in it, or else its last word."""
    inside = [one.head for one in found if given.first <= one.head < given.last]
    return inside[0] if inside else given.last - 1


def _with_colour(chunks: Sequence[Chunk], texts: Sequence[str]) -> list[Chunk]:
    """Phrases in their order; "in red" and "dressed in red" join the phrase before."""
    result: list[Chunk] = []
    for one in chunks:
        bare = one.last - one.first == 1 and texts[one.head] in of.COLOURS
        before = result[-1] if result else None
        if before is not None and bare and texts[before.last : one.first] in (["in"], ["dressed", "in"]):
            result[-1] = replace(before, last=one.last)
        else:
            result.append(one)
    return result


def _between(said: Sequence[Said], chunks: Sequence[Chunk], kept: Sequence[Chunk]) -> list[Said]:
    """Relations of the phrases that are kept, by their numbers among these."""
    number = {(one.first, one.last): place for place, one in enumerate(kept)}
    places = [number.get((one.first, one.last)) for one in chunks]
    result = []
    for relation in said:
        subject, thing = places[relation.subject], places[relation.object]
        if subject is not None and thing is not None:
            result.append(Said(subject, relation.text, thing))
    return result


def assemble(caption: str, words: tuple[Word, ...], chunks: Sequence[Chunk], relations: Sequence[Said]) -> Parsed:
    """A `Parsed` of phrases as places of words."""
    return Parsed(
        caption=caption,
        words=words,
        spans=tuple((words[one.first].start, words[one.last - 1].end) for one in chunks),
        places=tuple((one.first, one.last) for one in chunks),
        heads=tuple(words[one.head].text for one in chunks),
        relations=tuple(relations),
    )


def _joined(parsed: Parsed) -> Parsed:
    """Phrases for what a person is dressed in join the person's."""
    gone: dict[int, int] = {}
    for relation in parsed.relations:
        worn = parsed.heads[relation.object] in of.GARMENTS and relation.text in ("in", "dressed in")
        if worn and relation.object == relation.subject + 1:
            gone[relation.object] = relation.subject
    kept = [number for number in range(len(parsed.spans)) if number not in gone]
    ends = {owner: garment for garment, owner in gone.items()}
    chunks = [
        Chunk(parsed.places[number][0], parsed.places[ends.get(number, number)][1], parsed.places[number][0])
        for number in kept
    ]
    relations = [
        Said(kept.index(relation.subject), relation.text, kept.index(relation.object))
        for relation in parsed.relations
        if relation.subject in kept and relation.object in kept
    ]
    found = assemble(parsed.caption, parsed.words, chunks, relations)
    return replace(found, heads=tuple(parsed.heads[number] for number in kept))


def _scenegraphparser(caption: str, words: tuple[Word, ...], given: list[Chunk] | None) -> Parsed:
    from .spacy_phrases import parse_with_spacy

    return parse_with_spacy(caption, words, given)


Parser = Callable[[str, tuple[Word, ...], "list[Chunk] | None"], Parsed]
PARSERS: dict[str, Parser] = {"rules": _rules, "scenegraphparser": _scenegraphparser}
"""Each gets a caption, its words and the known phrases as places of words, if there are any."""
