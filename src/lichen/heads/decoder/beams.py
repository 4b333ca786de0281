"""Beam search for the text with the largest sum of log-probabilities.

Each row keeps its `beams` best unfinished texts and its best finished one. It is done when no unfinished text is
likelier than the finished one, since a sum of log-probabilities only falls.

Source: decoders.md 1.7 (big_vision's decoder), pitfalls 2 and 22.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...side.ops import wide
from .answers import Answers, all_done, following
from .constraint import Constraint
from .decoder import TextDecoder
from .prompts import Begun


class Best:
    """The best finished text of each row so far."""

    def __init__(self, rows: int, most: int, pad: int, like: Tensor) -> None:
        self.ids = torch.full((rows, most), pad, device=like.device)
        self.log_probs = like.new_zeros(rows, most)
        self.score = like.new_full((rows,), -torch.inf)
        self.lengths = torch.zeros(rows, dtype=torch.long, device=like.device)
        self.finished = torch.zeros(rows, dtype=torch.bool, device=like.device)

    def take(
        self,
        which: Bool[Tensor, " rows"],
        ids: Int[Tensor, "rows most"],
        log_probs: Float[Tensor, "rows most"],
        score: Float[Tensor, " rows"],
        length: int,
        finished: bool,
    ) -> None:
        """Replace the texts of some rows."""
        self.ids = torch.where(which[:, None], ids, self.ids)
        self.log_probs = torch.where(which[:, None], log_probs, self.log_probs)
        self.score = torch.where(which, score, self.score)
        self.lengths = self.lengths.masked_fill(which, length)
        self.finished = torch.where(which, finished, self.finished)


class Live:
    """The unfinished texts of each row, likeliest first."""

    def __init__(self, rows: int, beams: int, most: int, pad: int, like: Tensor) -> None:
        self.ids = torch.full((rows, beams, most), pad, device=like.device)
        self.log_probs = like.new_zeros(rows, beams, most)
        # At first all beams of a row are one text; only one of them may go on.
        self.score = like.new_full((rows, beams), -torch.inf)
        self.score[:, 0] = 0.0
        self.first = torch.arange(rows, device=like.device)[:, None] * beams

    def behind(
        self, parent: Int[Tensor, "rows some"], token: Int[Tensor, "rows some"], log_prob: Tensor, step: int
    ) -> tuple[Tensor, Tensor]:
        """Ids and log-probabilities, (rows, some, most), of what some tokens make of their parents."""
        index = parent[:, :, None].expand(*parent.shape, self.ids.shape[2])
        ids, log_probs = self.ids.gather(1, index), self.log_probs.gather(1, index)
        ids[:, :, step], log_probs[:, :, step] = token, log_prob
        return ids, log_probs


def beam_search(
    decoder: TextDecoder, begun: Begun, constraint: Constraint, most: int, beams: int, ending: str
) -> Answers:
    """Search; the arguments are those of `generate`."""
    config, rows, limits = decoder.config, len(begun.hidden), begun.limits
    begun = begun.repeat(beams)
    constraint.repeat(beams)
    hidden = begun.hidden
    like = hidden.new_empty(0, dtype=wide(decoder.output_bias.dtype))
    live, best = Live(rows, beams, most, config.pad, like), Best(rows, most, config.pad, like)
    done = torch.zeros_like(best.finished)
    for step in range(most):
        log_probs = constraint.log_probs(hidden, live.ids.flatten(0, 1), step).view(rows, beams, -1)
        total = live.score[:, :, None] + log_probs
        top, index = total.flatten(1).topk(min(2 * beams, total[0].numel()))
        threshold = top[:, beams - 1] if ending == "ranked" else None
        _finish(live, best, total, log_probs, threshold, constraint, step, done)
        parent, token = _go_on(live, top, index, log_probs, constraint, step)
        cut = ~done & ~best.finished & (step + 1 >= limits)
        best.take(cut, live.ids[:, 0], live.log_probs[:, 0], live.score[:, 0], step + 1, False)
        done = done | (best.score >= live.score[:, 0]) | (step + 1 >= limits)
        if step + 1 == most or all_done(done, step):
            break
        begun.cache.reorder(parent, begun.shortest)
        constraint.reorder(parent)
        constraint.advance(token)
        hidden = following(decoder, begun, token)
    return Answers(best.ids, best.lengths, best.log_probs, best.score, best.finished)


def _finish(
    live: Live,
    best: Best,
    total: Float[Tensor, "rows beams columns"],
    log_probs: Float[Tensor, "rows beams columns"],
    threshold: Float[Tensor, " rows"] | None,
    constraint: Constraint,
    step: int,
    done: Bool[Tensor, " rows"],
) -> None:
    """End the likeliest text of each row that may end, if that beats what has ended before."""
    ends = total[:, :, constraint.end]
    if threshold is not None:
        ends = ends.masked_fill(ends < threshold[:, None], -torch.inf)
    score, parent = ends.max(1, keepdim=True)
    token = torch.full_like(parent, constraint.config.end)
    ids, found = live.behind(parent, token, log_probs[:, :, constraint.end].gather(1, parent), step)
    better = ~done & (score[:, 0] > best.score)
    best.take(better, ids[:, 0], found[:, 0], score[:, 0], step + 1, True)


def _go_on(
    live: Live,
    top: Float[Tensor, "rows candidates"],
    index: Int[Tensor, "rows candidates"],
    log_probs: Float[Tensor, "rows beams columns"],
    constraint: Constraint,
    step: int,
) -> tuple[Int[Tensor, " all"], Int[Tensor, " all"]]:
    """Keep the best continuations that do not end; which row each goes on from, and its token, over all beams."""
    beams, columns = log_probs.shape[1:]
    top = top.masked_fill(index % columns == constraint.end, -torch.inf)
    score, place = top.topk(beams)
    index = index.gather(1, place)
    parent, token = index // columns, constraint.token(index % columns)
    live.ids, live.log_probs = live.behind(parent, token, log_probs.flatten(1).gather(1, index), step)
    live.score = score
    return (live.first + parent).flatten(), token.flatten()
