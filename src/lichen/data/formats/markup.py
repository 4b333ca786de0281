"""The bracket notation of Flickr30k Entities: `[/EN#285/people A little girl] climbing into [/EN#286/other …]`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_OPEN = re.compile(r"\[/EN#(\d+)/([^\s\]]+)\s")


class Mention(NamedTuple):
    """A phrase of a sentence that stands for something."""

    chain: str
    """Number of the thing, the same in all sentences of an image; "0" for what cannot be seen."""
    types: tuple[str, ...]
    """Such as ("people",)."""
    start: int
    """Its first character in the plain sentence."""
    end: int
    """One past its last."""


def parse(marked: str, complain: Callable[[str], None]) -> tuple[str, list[Mention]]:
    """The plain sentence and its phrases.

    Args:
        marked: a sentence in the notation.
        complain: is told of brackets that are not closed or hold nothing; what stands in them stays in the sentence.
    """
    plain: list[str] = []
    length = 0
    mentions = []
    at = 0
    while (found := _OPEN.search(marked, at)) is not None:
        before = marked[at : found.start()]
        plain.append(before)
        length += len(before)
        close = marked.find("]", found.end())
        inner = marked[found.end() : close if close >= 0 else len(marked)]
        words = inner.strip()
        if close < 0 or not words or "[/EN#" in words:
            complain(f"the phrase that begins at character {found.start()} is empty, or not closed")
        else:
            types = tuple(name for name in found[2].split("/") if name)
            mentions.append(Mention(found[1], types, length, length + len(words)))
        plain.append(words)
        length += len(words)
        at = close + 1 if close >= 0 else len(marked)
    plain.append(marked[at:])
    return "".join(plain), mentions
