"""`Constraint`: which tokens may come next, for every row at once and without leaving the device.

Padding never may. An automaton (`language.automaton`) allows what it allows; and close to the limit of a row only what
can still be brought to an end within it, so that every answer can be read.

Source: decoders.md, pitfall 8.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError, pick
from ...language.automaton import Automaton
from ...side.ops import without_autocast
from .decoder import TextDecoder
from .rules import FAR, Rules

CONFIDENCES = ("all", "allowed")


class Constraint:
    """What a batch of rows may write, and how likely each of it is.

    Scores have a column a token: each of the vocabulary, or only those that the grammar uses, where these are few.

    Args:
        decoder: that writes.
        automaton: of the grammar; None allows every token but padding.
        limits: most tokens of each row, the end included.
        confidence: all: log-probabilities are among all tokens, whatever is forbidden; allowed: among those that may
            come in their place. The output matrix is then read for the columns alone.

    Raises:
        InputError: the automaton is for another vocabulary or end, or a limit is too short for any answer.
    """

    def __init__(
        self,
        decoder: TextDecoder,
        automaton: Automaton | None,
        limits: Int[Tensor, " rows"],
        confidence: str = "all",
    ) -> None:
        self.decoder, self.config = decoder, decoder.config
        self.limits = limits
        self.masked_first = pick("confidence", confidence, CONFIDENCES) == "allowed"
        self.state = torch.zeros_like(limits)
        self.rules: Rules | None = None
        self.end = self.config.end
        """Column of the end token."""
        if automaton is not None:
            self._follow(automaton)

    def _follow(self, automaton: Automaton) -> None:
        config = self.config
        if (automaton.vocabulary, automaton.end) != (config.vocabulary, config.end):
            raise InputError(
                f"The automaton knows {automaton.vocabulary} tokens and ends with {automaton.end}; the decoder knows "
                f"{config.vocabulary} and ends with {config.end}. Build it from the decoder's own tokenizer."
            )
        self.rules = rules = Rules.of(automaton, self.limits.device)
        needed, least = int(rules.distance[automaton.start]), int(self.limits.min())
        if needed > least:
            raise InputError(
                f"An answer of this grammar has at least {needed} tokens, but only {least} fit. Raise most=, shorten "
                "the prompt, or train a decoder with a longer context."
            )
        # Before this step every way that is not a dead end still leads to an end in time.
        self._careful_from = least - int(rules.distance[rules.distance < FAR].max())
        self.end = rules.table.end
        self.state = rules.table.begin(len(self.limits))

    def log_probs(
        self, hidden: Float[Tensor, "rows width"], written: Int[Tensor, "rows most"], step: int
    ) -> Float[Tensor, "rows columns"]:
        """Log-probabilities of the next token; -inf where it may not come.

        Args:
            hidden: what it is predicted from.
            written: answers so far.
            step: tokens of each answer so far.
        """
        columns = None if self.rules is None else self.rules.tokens
        with without_autocast(hidden.device):
            scores = self.decoder.logits(hidden, columns if self.masked_first else None)
        if self.masked_first:
            return self._forbid(scores, written, step).log_softmax(-1)
        if columns is None:
            return self._forbid(scores.log_softmax(-1), written, step)
        total = scores.logsumexp(-1, keepdim=True)
        return self._forbid(scores.index_select(1, columns) - total, written, step)

    def token(self, column: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """Ids of columns."""
        return column if self.rules is None or self.rules.tokens is None else self.rules.tokens[column]

    def _forbid(self, scores: Tensor, written: Tensor, step: int) -> Tensor:
        """Set to -inf, in place, what may not come next."""
        rules = self.rules
        if rules is not None:
            allowed = rules.table.mask(self.state, written - rules.shift, step)
            if step >= self._careful_from:
                after = rules.distance[rules.table.following[self.state].long()]
                in_time = after <= (self.limits - step - 1)[:, None]
                in_time[:, self.end] = True
                allowed &= in_time
                # Rows past their own limit are done; they only must not be left without any token.
                allowed[:, self.end] |= ~allowed.any(1)
            scores.masked_fill_(~allowed, -torch.inf)
        if rules is None or rules.tokens is None:
            scores[:, self.config.pad] = -torch.inf
        return scores

    def advance(self, token: Int[Tensor, " rows"]) -> None:
        """Tell which token every row wrote."""
        if self.rules is not None:
            self.state = self.rules.automaton.advance(self.state, token)

    def repeat(self, times: int) -> None:
        """From now on every row stands `times` times, one after the other."""
        self.limits = self.limits.repeat_interleave(times)
        self.state = self.state.repeat_interleave(times)

    def reorder(self, rows: Int[Tensor, " rows"]) -> None:
        """Row i goes on from where row `rows[i]` is."""
        self.state = self.state[rows]
