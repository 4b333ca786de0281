"""`Automaton`: which token may come next, as tables on the device, so that whatever a decoder writes can be read.

A row of the batch is in a state; two tables, indexed by state and token, say what is allowed and which state follows.
Neither a Python loop over rows nor a transfer to the host happens between two tokens. One rule does not fit into a
table without a state for every coordinate: the far edge of a box must lie beyond its near edge. Coordinate tokens have
ascending ids, so this is a comparison of ids: `above` says in which states with which earlier token.

`grammar.py` builds automata.

Source: decoders.md, pitfall 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..errors import InputError


@dataclass(frozen=True, eq=False)
class Automaton:
    """States, and the tokens that lead from one to the next.

    The state behind the `end` token allows nothing but `end` and is never left, so rows that have finished may be
    advanced with any token.
    """

    allowed: Bool[Tensor, "states vocabulary"]
    """Tokens that may come in a state."""
    following: Int[Tensor, "states vocabulary"]
    """The state behind each token. Behind one that is not allowed: the last state, that of finished rows."""
    start: int
    """The state before the first token."""
    above: Int[Tensor, " states"]
    """How many tokens back the coordinate lies which the next one must exceed. Negative: which it must stay below.
    0 where there is no such rule."""
    coordinates: tuple[int, int] | None
    """The first id of coordinate tokens and the one behind the last, without gaps; None where there are none."""
    end: int
    """The token behind which nothing comes."""

    def __post_init__(self) -> None:
        states, vocabulary = self.allowed.shape
        if self.following.shape != self.allowed.shape or self.above.shape != (states,):
            raise InputError(
                f"The tables of an automaton have one shape; got {tuple(self.allowed.shape)} and "
                f"{tuple(self.following.shape)}, with rules for {len(self.above)} states."
            )
        if not (0 <= self.start < states and 0 <= self.end < vocabulary):
            raise InputError(
                f"An automaton of {states} states over {vocabulary} tokens cannot start in state {self.start} and end "
                f"with token {self.end}."
            )
        if self.coordinates is not None and not 0 <= self.coordinates[0] < self.coordinates[1] <= vocabulary:
            raise InputError(f"Coordinate tokens {self.coordinates} do not lie among {vocabulary} tokens.")

    @property
    def states(self) -> int:
        """Number of states."""
        return self.allowed.shape[0]

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return self.allowed.shape[1]

    def begin(self, rows: int) -> Int[Tensor, " rows"]:
        """The state of every row before its first token."""
        return torch.full((rows,), self.start, device=self.allowed.device)

    def mask(
        self,
        state: Int[Tensor, " rows"],
        tokens: Int[Tensor, "rows length"],
        length: int | Int[Tensor, ""] | Int[Tensor, " rows"],
    ) -> Bool[Tensor, "rows vocabulary"]:
        """Tokens that may come next.

        Args:
            state: of each row.
            tokens: what the rows hold so far, the prompt included or not; the table may be longer.
            length: how many tokens of each row, or of all, are there already: the next one is put at this place.

        Returns:
            Never a row without a token: where nothing is allowed, the end is.
        """
        allowed = self.allowed[state]
        if self.coordinates is not None and tokens.shape[1]:
            first, behind = self.coordinates
            back = self.above[state]
            place = (length - back.abs()).clamp(0, tokens.shape[1] - 1)
            bound = tokens.gather(1, place.to(torch.long)[:, None])
            ids = torch.arange(first, behind, device=allowed.device)
            back = back[:, None]
            beyond = torch.where(back > 0, ids > bound, (ids < bound) | (back == 0))
            allowed[:, first:behind] &= beyond
        allowed[:, self.end] |= ~allowed.any(1)
        return allowed

    def advance(self, state: Int[Tensor, " rows"], token: Int[Tensor, " rows"]) -> Int[Tensor, " rows"]:
        """The state of each row behind a token."""
        return self.following[state, token].long()

    def to(self, device: torch.device | str) -> Automaton:
        """The same on another device."""
        return replace(
            self,
            allowed=self.allowed.to(device),
            following=self.following.to(device),
            above=self.above.to(device),
        )

    def accepts(self, ids: Sequence[int]) -> bool:
        """Whether a whole answer, its end token included and nothing behind it, is one that the automaton allows.

        It walks token by token: for checks, not for decoding.
        """
        state = self.start
        for place, token in enumerate(ids):
            if not 0 <= token < self.vocabulary or not bool(self.allowed[state, token]):
                return False
            if token == self.end:
                return place == len(ids) - 1
            if not self._ordered(state, ids, place):
                return False
            state = int(self.following[state, token])
        return False

    def _ordered(self, state: int, ids: Sequence[int], place: int) -> bool:
        """Whether the token at a place, if it is a coordinate, lies on the right side of the one it must exceed."""
        back = int(self.above[state])
        if not back or self.coordinates is None or not self.coordinates[0] <= ids[place] < self.coordinates[1]:
            return True
        earlier = ids[place - abs(back)] if place >= abs(back) else ids[0]
        return ids[place] > earlier if back > 0 else ids[place] < earlier
