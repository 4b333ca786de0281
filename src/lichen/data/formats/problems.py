"""`Problems`: everything in annotation files that could not be used as it stands. Counted and listed, never silent."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ...errors import InputError, nearest

KINDS: Mapping[str, str] = {
    "wrong value": "a value of the wrong type, out of range or absent; what it belongs to is left out",
    "unknown class": "a class that the file's own list, or the official one, does not have; left out",
    "duplicate id": "an id that was there before; the first one counts",
    "unknown reference": "it points to something that is not there; left out",
    "missing picture": "no such file, or no picture; the annotations are kept",
    "picture size": "the file says another size than the picture has; the picture's own counts",
    "box partly outside": "reaches beyond the picture; cut to it",
    "box outside": "lies beside the picture; left out",
    "box inverted": "right before left, or bottom above top; left out",
    "box without area": "no width or no height; left out",
    "lost with its box": "a relation, phrase, expression or role of a box that was left out; left out too",
}
"""What can be wrong, and what becomes of it."""
LISTED = 5
"""Examples of each kind that are kept."""

_LONGEST = 300
"""Characters of a value that a message repeats."""
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 3, 60, 60, 40


def shown(value: Any) -> str:
    """A value as a message repeats it: cut where it grows long or deep, and printable."""
    try:
        text = _SHORT.repr(value)
    # Whole numbers of thousands of digits refuse to become text.
    except ValueError:
        text = f"a {type(value).__name__} too long to show"
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class Problems:
    """What is wrong with the files of one conversion."""

    def __init__(self, *, strict: bool = False, listed: int = LISTED) -> None:
        """
        Args:
            strict: stop at the first problem.
            listed: examples that are kept of each kind.
        """
        self.strict = strict
        self.listed = listed
        self.counts: Counter[str] = Counter()
        """How many there are, by kind."""
        self.examples: dict[str, list[str]] = {}
        """The first of each kind."""

    def __len__(self) -> int:
        return self.counts.total()

    def __bool__(self) -> bool:
        """Whether there is any; a collector is never mistaken for an absent one by its length."""
        return self.counts.total() > 0

    def add(self, kind: str, where: object, what: str) -> None:
        """Note a problem.

        Args:
            kind: one of `KINDS`.
            where: the place; made into text only when it is needed.
            what: what is wrong there.

        Raises:
            InputError: this collector is strict.
            ValueError: there is no such kind.
        """
        if kind not in KINDS:
            raise ValueError(f"No kind of problem is called {kind!r}. {nearest(kind, KINDS)}")
        self.counts[kind] += 1
        if self.strict:
            raise InputError(f"{where}: {what}.")
        examples = self.examples.setdefault(kind, [])
        if len(examples) < self.listed:
            examples.append(f"{where}: {what}")

    def to_dict(self) -> dict[str, Any]:
        """Count and examples by kind, the most frequent first."""
        return {kind: {"count": count, "first": self.examples[kind]} for kind, count in self.counts.most_common()}

    def lines(self) -> list[str]:
        """The same as lines of text: each kind with its count and what becomes of it, then its examples."""
        result = []
        for kind, count in self.counts.most_common():
            result.append(f"{count:,} × {kind}: {KINDS[kind]}")
            result += [f"    {example}" for example in self.examples[kind]]
            if count > len(self.examples[kind]):
                result.append(f"    … and {count - len(self.examples[kind]):,} more")
        return result
