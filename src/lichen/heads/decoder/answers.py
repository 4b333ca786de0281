"""`Answers`: what decoding returns; and the two steps that greedy and beam search share."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from .decoder import TextDecoder
from .prompts import Begun

LOOK_EVERY = 4
"""Steps between two looks at whether all rows are done, on devices where a look makes the host wait."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What was written, a row a prompt. Widths do not depend on the batch."""

    ids: Int[Tensor, "rows most"]
    """Tokens without the prompt: the end token, if there is one, then padding."""
    lengths: Int[Tensor, " rows"]
    """Tokens of each row, the end included."""
    log_probs: Float[Tensor, "rows most"]
    """Log-probability of each token: a confidence. Among all tokens, whatever a constraint forbade, unless the caller
    asked otherwise. 0 in padding."""
    score: Float[Tensor, " rows"]
    """Their sum."""
    finished: Bool[Tensor, " rows"]
    """False where the limit cut the text off. An automaton always finishes."""

    def texts(self, end: int) -> list[list[int]]:
        """Ids of each row without the end token."""
        rows = zip(self.ids.tolist(), self.lengths.tolist(), strict=True)
        return [[token for token in row[:length] if token != end] for row, length in rows]


def following(decoder: TextDecoder, begun: Begun, token: Int[Tensor, " rows"]) -> Float[Tensor, "rows width"]:
    """Read one more token of each row; what the next is predicted from."""
    return decoder.hidden(token[:, None], begun.memory, begun.sharing, cache=begun.cache)[:, 0]


def all_done(done: Bool[Tensor, " rows"], step: int) -> bool:
    """Whether to stop. A few steps too many change nothing: rows that are done only get padding."""
    return (done.device.type == "cpu" or step % LOOK_EVERY == LOOK_EVERY - 1) and bool(done.all())
