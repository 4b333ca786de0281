"""`Paths`: what a decoder may write, drawn as a graph of states, and made into an `Automaton`.

While it is drawn a token may lead to several states at once: words that go on, and a box that begins with the same
token. `build` follows all of them together (the subset construction), so the automaton has one state for each set.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..regions import CellCode, Code, CoordinateCode
from .automaton import Automaton
from .codes import in_words
from .spelling import Spelling
from .tokenizer import Tokenizer

_ORDERS: dict[str, tuple[int, int, int, int]] = {"xyxy": (0, 0, 2, 2), "yxyx": (0, 0, 2, 2), "lbrt": (0, 0, 2, -2)}
"""How many places back the number lies that each number of a box must exceed, or with a minus stay below."""
_SMALL = 2**15
States = frozenset[int]


class Paths:
    """States with numbers, and what leads from one to another."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """A graph over the ids of a tokenizer, with a state to start from and one behind the end token."""
        self.tokenizer = tokenizer
        self._edges: list[dict[int, set[int]]] = []
        self._blank: dict[int, set[int]] = {}
        self._spoken: dict[int, set[int]] = {}
        self._ranges: dict[int, list[tuple[int, int, int]]] = {}
        self._above: dict[int, int] = {}
        self.done = self.state()
        self.finish(self.done)
        self.start = self.state()

    def state(self) -> int:
        """A new state."""
        self._edges.append({})
        return len(self._edges) - 1

    def edge(self, before: int, token: int, behind: int) -> None:
        """One token from a state to another."""
        self._edges[before].setdefault(token, set()).add(behind)

    def path(self, before: int, tokens: Sequence[int], behind: int) -> None:
        """Several tokens, one after another."""
        for token in tokens[:-1]:
            after = self.state()
            self.edge(before, token, after)
            before = after
        self.edge(before, tokens[-1], behind)

    def finish(self, state: int) -> None:
        """The sequence may end in a state."""
        self.edge(state, self.tokenizer.end, self.done)

    def words(self, before: int) -> int:
        """Words, at least one token of which is not blank; the state behind them, in which they may go on."""
        behind = self.state()
        self._blank[before] = {before}
        self._spoken[before] = {behind}
        self._blank[behind] = self._spoken[behind] = {behind}
        return behind

    def box(self, before: int, behind: int) -> None:
        """The tokens of one box."""
        code = self.tokenizer.boxes_code()
        if in_words(code):
            self._spelt_box(code, before, behind)
        elif isinstance(code, CellCode):
            self._cells(code, before, behind)
        else:
            assert isinstance(code, CoordinateCode)
            self._coordinates(code, before, behind)

    def _coordinates(self, code: CoordinateCode, before: int, behind: int) -> None:
        """A token a number. Of two that are compared, the first leaves room for the second."""
        first = self._first()
        rules = _ORDERS[code.order]
        for place, back in enumerate(rules):
            later = rules[place + 2] if place < 2 else 0
            low, high = first + int(later < 0), first + code.count - int(later > 0)
            after = behind if place == len(rules) - 1 else self.state()
            self._ranges.setdefault(before, []).append((low, high, after))
            if back:
                self._above[before] = back
            before = after

    def _cells(self, code: CellCode, before: int, behind: int) -> None:
        """A state for each first cell: the second lies neither left of it nor above it."""
        first, side = self._first(), code.side
        for cell in range(code.count):
            state = self.state()
            self.edge(before, first + cell, state)
            row, column = divmod(cell, side)
            starts = range(first + row * side, first + side * side, side)
            self._ranges[state] = [(start + column, start + side, behind) for start in starts]

    def _first(self) -> int:
        """The id of number 0."""
        assert self.tokenizer.coordinates is not None
        return self.tokenizer.coordinates[0]

    def _spelt_box(self, code: Code, before: int, behind: int) -> None:
        """Numbers as text, in every way in which the tokenizer's pieces can spell them.

        Numbers keep their range; that a far edge lies beyond its near one is left to the reader.
        """
        spelling = Spelling(code)
        words = self.tokenizer.words.tolist()
        pieces = [
            (id, text) for id, text in enumerate(self.tokenizer.pieces) if words[id] and text and spelling.knows(text)
        ]
        states = {spelling.start: before, spelling.end: behind}
        todo = [spelling.start]
        while todo:
            place = todo.pop()
            for id, text in pieces:
                after = spelling.walk(place, text)
                if after is None:
                    continue
                if after not in states:
                    states[after] = self.state()
                    todo.append(after)
                self.edge(states[place], id, states[after])

    def build(self) -> Automaton:
        """The automaton; its last state is the one behind the end token."""
        blank = torch.tensor([not piece.strip() for piece in self.tokenizer.pieces])
        words = self.tokenizer.words
        self._is_blank, self._is_word = blank.tolist(), words.tolist()
        states, leads = self._explore()
        kind = torch.int16 if len(states) < _SMALL else torch.int32
        shape = (len(states), self.tokenizer.vocabulary)
        allowed = torch.zeros(shape, dtype=torch.bool)
        following = torch.full(shape, len(states) - 1, dtype=kind)
        edges: list[tuple[int, int, int]] = []
        for members, place in states.items():
            silent, spoken, ranges, single = leads[members]
            for target, table in ((silent, words & blank), (spoken, words & ~blank)):
                if target:
                    allowed[place] |= table
                    following[place, table] = states[target]
            for low, high, target in ranges:
                allowed[place, low:high] = True
                following[place, low:high] = states[target]
            edges += [(place, token, states[target]) for token, target in single.items()]
        rows, tokens, behind = torch.tensor(edges).unbind(1)
        allowed[rows, tokens] = True
        following[rows, tokens] = behind.to(kind)
        start, end = states[States({self.start})], self.tokenizer.end
        return Automaton(allowed, following, start, self._rules(states), self.tokenizer.coordinates, end)

    def _explore(self) -> tuple[dict[States, int], dict[States, _Leads]]:
        """All sets of states that can be reached, numbered, the finished one last; and what leads out of each."""
        first, done = States({self.start}), States({self.done})
        leads = {done: self._leads(done)}
        todo = [first]
        while todo:
            members = todo.pop()
            if members in leads:
                continue
            leads[members] = found = self._leads(members)
            silent, spoken, ranges, single = found
            todo += [target for target in (silent, spoken, *(r[2] for r in ranges), *single.values()) if target]
        order = [members for members in leads if members != done]
        return {members: place for place, members in enumerate([*order, done])}, leads

    def _leads(self, members: States) -> _Leads:
        """Where blanks, other words, ranges of coordinates, and single tokens lead from a set of states.

        Ranges of different members do not overlap: no two boxes begin in one set.
        """
        silent = States().union(*(self._blank.get(state, ()) for state in members))
        spoken = States().union(*(self._spoken.get(state, ()) for state in members))
        ranges = [
            (low, high, States({behind}))
            for state in sorted(members)
            for low, high, behind in self._ranges.get(state, ())
        ]
        single: dict[int, States] = {}
        for state in sorted(members):
            for token, behind in self._edges[state].items():
                single[token] = single.get(token, States()) | behind
        for token in single:
            if self._is_word[token]:
                single[token] |= silent if self._is_blank[token] else spoken
        return silent, spoken, ranges, single

    def _rules(self, states: dict[States, int]) -> Tensor:
        above = torch.zeros(len(states), dtype=torch.long)
        for members, place in states.items():
            for state in members:
                above[place] += self._above.get(state, 0)
        return above


_Leads = tuple[States, States, list[tuple[int, int, States]], dict[int, States]]
