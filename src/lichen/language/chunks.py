"""Noun phrases of a tagged caption, and the long prepositions that would otherwise hide some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import lexicon as of


@dataclass(frozen=True)
class Chunk:
    """A noun phrase: places of its first word, one past its last, and of the word that it is about."""

    first: int
    last: int
    head: int


def prepositions(words: Sequence[str], tags: Sequence[str]) -> list[tuple[int, int]]:
    """Prepositions of several words, as places of the first word and one past the last.

    "in front of", "next to"; and with a noun for a side, "on the left side of".
    """
    found = []
    place = 0
    while place < len(words):
        length = next(
            (len(long) for long in of.LONG_PREPOSITIONS if tuple(words[place : place + len(long)]) == long), 0
        )
        length = length or _side(words, tags, place)
        if length:
            found.append((place, place + length))
        place += length or 1
    return found


def _side(words: Sequence[str], tags: Sequence[str], place: int) -> int:
    """Length of "on the (left) side of" at a place; 0 where there is none."""
    if tags[place] != "P":
        return 0
    at = place + 1
    at += at < len(words) and tags[at] == "D"
    while at + 1 < len(words) and tags[at] == "A" and words[at + 1] in of.SIDES:
        at += 1
    ends = at + 1 < len(words) and words[at] in of.SIDES and words[at + 1] == "of"
    return at + 2 - place if ends else 0


def chunk(words: Sequence[str], tags: Sequence[str]) -> list[Chunk]:
    """The noun phrases of a caption, from left to right.

    Those about nothing that has a place ("in the background", "on a sunny day") are among them; see `is_seen`.

    Args:
        words: in lower case.
        tags: as `tagging.tag` gives them. Words of long prepositions should be tagged P.
    """
    found: list[Chunk] = []
    place = 0
    while place < len(words):
        here = _at(words, tags, place)
        if here is None:
            place += 1
            continue
        here = _with_partitive(words, tags, here)
        found.append(here)
        place = here.last
    return found


def is_seen(chunk: Chunk, words: Sequence[str]) -> bool:
    """Whether a noun phrase is about something that one could draw a box around: "the counter top", not "the top"."""
    before = words[chunk.head - 1] if chunk.head > chunk.first else ""
    plain = before in of.DETERMINERS | of.ADJECTIVES | of.QUANTITIES | {""}
    return not (plain and words[chunk.head] in of.UNSEEN)


def _at(words: Sequence[str], tags: Sequence[str], first: int) -> Chunk | None:
    """The noun phrase that begins at a place."""
    very = words[first] == "very" and tags[first + 1 : first + 2] == ["A"]
    if tags[first] not in ("D", "Q", "A", "N") and not very:
        return None
    place, head, named = first, -1, False
    while place < len(words):
        tag = tags[place]
        if tag == "N":
            head, named = place, True
        elif tag == "D" and place > first and tags[place - 1] not in ("D", "S"):
            break
        elif tag == "S":
            if place + 1 >= len(tags) or tags[place + 1] not in ("N", "A", "Q"):
                break
        elif tag in (",", "C"):
            if not _joins_adjectives(words, tags, place):
                break
        elif tag == "R":
            if place + 1 >= len(tags) or tags[place + 1] != "A" or tags[place - 1] not in ("D", "Q", "R", "^"):
                break
        elif tag not in ("D", "Q", "A"):
            break
        place += 1
    if not named:
        return _without_noun(words, tags, first, place)
    return Chunk(first, head + 1, head)


def _without_noun(words: Sequence[str], tags: Sequence[str], first: int, last: int) -> Chunk | None:
    """Adjectives that stand for a noun: "an orange", "in red"."""
    while last > first and tags[last - 1] not in ("A", "Q"):
        last -= 1
    if last == first:
        return None
    told = tags[first] == "D" and tags[last - 1] == "A"
    counted = tags[last - 1] == "Q" and words[last : last + 1] == ["of"]
    worn = first > 0 and words[first - 1] == "in" and words[last - 1] in of.COLOURS
    return Chunk(first, last, last - 1) if told or counted or worn else None


def _joins_adjectives(words: Sequence[str], tags: Sequence[str], place: int) -> bool:
    """Whether a comma or an "and" stands between adjectives of one noun: "a black and white cat"."""
    if place + 1 >= len(tags) or tags[place - 1] != "A" or tags[place + 1] != "A":
        return False
    return any(tag == "N" for tag in tags[place + 1 : place + 4])


def _with_partitive(words: Sequence[str], tags: Sequence[str], chunk: Chunk) -> Chunk:
    """A group, a plate, a pair together with what it is of; the head is what it is of."""
    quantity = words[chunk.head] in of.PARTITIVES or tags[chunk.last - 1] == "Q"
    behind = chunk.last + 1
    if not quantity or behind >= len(words) or words[chunk.last] != "of":
        return chunk
    inner = _at(words, tags, behind)
    if inner is None:
        return chunk
    inner = _with_partitive(words, tags, inner)
    return Chunk(chunk.first, inner.last, inner.head)
