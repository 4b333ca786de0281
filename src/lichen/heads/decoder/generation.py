"""`generate`: write a text about each picture, greedily or by beam search, freely or under an automaton.

What a row gets depends on its picture and its prompt alone: not on the other rows, their order, their prompts' lengths
or how many texts share a picture.

Source: decoders.md 1.7, pitfalls 1, 8, 20 and 23.
"""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ...errors import InputError, pick
from ...language.automaton import Automaton
from ...side.ops import wide
from .answers import Answers, all_done, following
from .beams import beam_search
from .constraint import Constraint
from .decoder import TextDecoder
from .memory import Memory
from .prompts import Begun, begin

ENDINGS = ("ranked", "always")


@torch.no_grad()
def generate(
    decoder: TextDecoder,
    memory: Memory,
    prompt: Int[Tensor, "rows length"] | None = None,
    *,
    picture: Int[Tensor, " rows"] | None = None,
    automaton: Automaton | None = None,
    beams: int = 1,
    most: int | None = None,
    ending: str = "ranked",
    confidence: str = "all",
) -> Answers:
    """Write texts. The decoder should be in eval mode: dropout would be heard.

    Args:
        decoder: trained.
        memory: of the pictures; see `TextDecoder.remember`.
        prompt: ids without a start token; padding, on either side, is `config.pad`. None: no prompt.
        picture: which picture each row reads; None: row i reads picture i.
        automaton: grammar of the answers; None allows every token but padding.
        beams: 1 takes the likeliest token each time; more search for the likeliest text, by the plain sum of its
            log-probabilities, without a length penalty. One set of the picture's keys and values serves all beams.
        most: tokens of an answer, the end included; None and what is too much stand for what the context leaves.
        ending: of beams. ranked: a text may end where its end is among the best `beams` continuations, as in
            transformers; always: every beam may end at every step, as in big_vision, which favours short texts.
        confidence: of tokens under an automaton. all: among all tokens, as if nothing were forbidden; allowed: among
            those that may come in their place, for which most of the output matrix need not be read: much faster
            where a grammar uses few tokens, such as boxes. The greedy answer is the same.

    Raises:
        InputError: prompts and pictures that do not fit together, no room for an answer, a wrong setting, or an
            automaton for another tokenizer.
    """
    pick("ending", ending, ENDINGS)
    if beams < 1:
        raise InputError(f"beams must be at least 1; got {beams}.")
    most = decoder.config.context if most is None else min(most, decoder.config.context)
    begun = begin(decoder, memory, prompt, picture, most)
    constraint = Constraint(decoder, automaton, begun.limits, confidence)
    if beams == 1:
        return greedy(decoder, begun, constraint, most)
    return beam_search(decoder, begun, constraint, most, beams, ending)


def greedy(decoder: TextDecoder, begun: Begun, constraint: Constraint, most: int) -> Answers:
    """The likeliest token that is allowed, again and again."""
    config, rows = decoder.config, len(begun.hidden)
    ids = begun.limits.new_full((rows, most), config.pad)
    lengths = torch.zeros_like(begun.limits)
    finished = torch.zeros_like(lengths, dtype=torch.bool)
    log_probs = begun.hidden.new_zeros(rows, most, dtype=wide(decoder.output_bias.dtype))
    done, hidden = finished, begun.hidden
    for step in range(most):
        value, column = constraint.log_probs(hidden, ids, step).max(-1)
        token = constraint.token(column)
        ids[:, step] = token.masked_fill(done, config.pad)
        log_probs[:, step] = value.masked_fill(done, 0.0)
        lengths = lengths + ~done
        finished = finished | (~done & (token == config.end))
        done = finished | (lengths >= begun.limits)
        if step + 1 == most or all_done(done, step):
            break
        constraint.advance(token)
        hidden = following(decoder, begun, token)
    return Answers(ids, lengths, log_probs, log_probs.sum(1), finished)
