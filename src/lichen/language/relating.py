"""Which phrases of a caption are related, and by which words: a walk through the sentence, clause by clause.

A relation is made of the words between two phrases, but not always of the two that stand side by side: in "a man in a
red shirt is holding a dog" it is the man who holds. So the walk remembers whose clause it is in. A verb belongs to the
subject of its clause; a preposition or a participle to the last person or animal named, or else to the last thing;
"and" repeats what was said of the phrase before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from . import lexicon as of
from .chunks import Chunk


@dataclass(frozen=True)
class Said:
    """One phrase is related to another."""

    subject: int
    """Number of the phrase."""
    text: str
    """The words of it, without auxiliaries: "sitting on"."""
    object: int
    """Number of the phrase."""


@dataclass
class _Walk:
    """Where the walk is."""

    words: Sequence[str]
    heads: Sequence[int]
    """Word that each phrase is about."""
    subjects: list[int] = field(default_factory=list)
    """Phrases that the clause is about."""
    group: list[int] = field(default_factory=list)
    """The phrase named last, with those that "and" ties to it."""
    link: list[str] = field(default_factory=list)
    """Words of a relation whose object is still to come."""
    sources: list[int] = field(default_factory=list)
    """Subjects of that relation, or of the last one."""
    told: list[str] = field(default_factory=list)
    """Words of the last relation, which "and" may repeat."""
    joined: bool = False
    """An "and" or a comma has just been passed."""
    finite: bool = False
    """The clause has its verb."""
    relative: bool = False
    """A "who" or "that" has just been passed."""
    found: list[Said] = field(default_factory=list)

    def nearest(self) -> list[int]:
        """Whom a preposition or a participle belongs to."""
        for phrases in (self.group, self.subjects):
            if any(self.words[self.heads[phrase]] in of.PEOPLE_AND_ANIMALS for phrase in phrases):
                return phrases
        return self.group

    def begin(self, sources: list[int], word: str) -> None:
        self.sources, self.link, self.joined, self.relative = list(sources), [word], False, False

    def reach(self, phrase: int, new_clause: bool) -> None:
        """A phrase is named."""
        if self.link:
            self._tell(phrase)
            self.group, self.told, self.link = [phrase], self.link, []
        elif self.joined and self.group and not (new_clause and self.finite):
            if self.told:
                self._tell(phrase, self.told)
            elif self.group == self.subjects:
                self.subjects = [*self.subjects, phrase]
            self.group = [*self.group, phrase]
        else:
            self.subjects, self.group, self.told, self.finite = [phrase], [phrase], [], False
        self.joined = self.relative = False

    def _tell(self, phrase: int, words: list[str] | None = None) -> None:
        text = " ".join(self.link if words is None else words)
        self.found += [Said(source, text, phrase) for source in self.sources if source != phrase]

    def stop(self) -> None:
        """A new clause begins."""
        self.subjects, self.group, self.link, self.sources, self.told = [], [], [], [], []
        self.joined = self.finite = self.relative = False


def relate(words: Sequence[str], tags: Sequence[str], phrases: Sequence[Chunk]) -> list[Said]:
    """The relations between phrases of a caption, in the order in which they are told, each once.

    Args:
        words: in lower case.
        tags: as `tagging.tag` gives them.
        phrases: from left to right, without overlap. Words between them that are part of no phrase connect them.
    """
    walk = _Walk(words, [phrase.head for phrase in phrases])
    begins = {phrase.first: number for number, phrase in enumerate(phrases)}
    place = 0
    while place < len(words):
        if place in begins:
            number = begins[place]
            # A list whose commas were left out.
            walk.joined = walk.joined or (number > 0 and phrases[number - 1].last == place)
            walk.reach(number, new_clause=_is_subject(tags, phrases[number].last))
            place = phrases[number].last
            continue
        _step(walk, words[place], tags, place)
        place += 1
    return list(dict.fromkeys(walk.found))


def _is_subject(tags: Sequence[str], behind: int) -> bool:
    """Whether a finite verb follows a phrase, so that a clause begins with it."""
    return behind < len(tags) and tags[behind] in ("X", "V")


def _step(walk: _Walk, word: str, tags: Sequence[str], place: int) -> None:
    """One word outside of all phrases."""
    tag = tags[place]
    if tag in ("V", "G", "T"):
        if walk.link and not walk.joined:
            walk.link = [*walk.link, word]
        elif walk.joined:
            walk.begin(walk.sources or walk.subjects, word)
        elif tag == "V" or (walk.finite and place and tags[place - 1] in ("X", "R")):
            walk.begin(walk.group if walk.relative else walk.subjects, word)
        else:
            walk.begin(walk.nearest(), word)
        walk.finite = walk.finite or tag == "V"
    elif tag == "A" and not walk.link and tags[place + 1 : place + 2] == ["P"]:
        # "full of"
        walk.begin(walk.subjects if tags[place - 1] == "X" else walk.group, word)
    elif tag == "P":
        if walk.link and not walk.joined:
            walk.link = [*walk.link, word]
        else:
            walk.begin(walk.sources if walk.joined and walk.sources else _owner(walk, word), word)
    elif tag == "X":
        walk.finite = True
        if walk.relative:
            walk.subjects = walk.group
        walk.link = []
    elif tag == "K" or word in (".", ";"):
        walk.stop()
    elif tag in ("C", ","):
        walk.joined = True
        if tag == "," and not walk.subjects:
            walk.stop()
    elif tag == "W":
        walk.relative = True
    elif tag == "O":
        # Somebody without a phrase of his own: nothing is told of him.
        walk.link = []


def _owner(walk: _Walk, word: str) -> list[int]:
    """Whom a preposition belongs to: "of" the last phrase, others as `nearest` says."""
    return walk.group if word == "of" else walk.nearest()
