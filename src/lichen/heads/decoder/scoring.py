"""`score`: the log-likelihood of every given text for every picture, exactly.

Compared with a loop over texts: a picture's keys and values are made once, a prompt is read once, beginnings that texts
share are read once, and of each prediction only the target's logit and the log-sum of all are kept.

With label names as texts this is a classifier. The likeliest text is also what a beam search finds that is restricted
to these texts and wide enough to drop none; greedy decoding under the same restriction takes the likeliest token each
time, which is the same where the texts differ in their first token and have no other.

Source: decoders.md 1.7 (CapPa's scoring classifier), pitfalls 5 to 7.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError, pick
from ...side.ops import without_autocast
from .blocks import Reading
from .cache import Prompted
from .decoder import TextDecoder
from .labels import Labels, Part
from .memory import Memory
from .prompts import Begun, begin

REDUCE = ("sum", "mean")
LOGITS = 1 << 24
"""Most logits that exist at a time."""


@torch.no_grad()
def score(
    decoder: TextDecoder,
    memory: Memory,
    labels: Labels | Sequence[Sequence[int]],
    prompt: Int[Tensor, "rows length"] | None = None,
    *,
    picture: Int[Tensor, " rows"] | None = None,
    reduce: str = "sum",
) -> Float[Tensor, "rows labels"]:
    """Log-likelihood of every label in every row. The decoder should be in eval mode.

    Args:
        decoder: trained.
        memory: of the pictures.
        labels: ids of each, with the end token if it should count. A list is packed each time; pack it yourself with
            `Labels.of` where there are many batches.
        prompt: ids without a start token; padding, on either side, is `config.pad`. None: no prompt.
        picture: which picture each row reads; None: row i reads picture i.
        reduce: sum favours short labels and is what papers report; mean over a label's tokens favours long ones.

    Raises:
        InputError: labels that are empty, equal or do not fit into the context behind the prompt; see `generate`.
    """
    pick("reduction", reduce, REDUCE)
    if not isinstance(labels, Labels):
        labels = Labels.of(labels, decoder.config.vocabulary)
    labels = labels.to(memory.device)
    longest = labels.longest
    begun = begin(decoder, memory, prompt, picture, most=1)
    if begun.longest - 1 + longest > decoder.config.context:
        raise InputError(
            f"A label of {longest} tokens behind a prompt of {begun.longest - 1} does not fit into a context of "
            f"{decoder.config.context}. Shorten one of the two, or train a decoder with a longer context."
        )
    with without_autocast(memory.device):
        logits = decoder.logits(begun.hidden)
        found = logits[:, labels.first] - logits.logsumexp(-1, keepdim=True)
    parts = [_behind_first(decoder, begun, part) for part in labels.parts]
    found = found + torch.cat(parts, 1)
    found = torch.empty_like(found).index_copy_(1, labels.order, found)
    return found if reduce == "sum" else found / labels.lengths


def _behind_first(decoder: TextDecoder, begun: Begun, part: Part) -> Float[Tensor, "rows texts"]:
    """Log-likelihood of all tokens but the first of some texts."""
    rows = len(begun.hidden)
    if not len(part.ids):
        return begun.hidden.new_zeros(rows, len(part.paths))
    prompt = torch.arange(begun.longest, device=part.ids.device) < begun.cache.lengths[:, None]
    nodes = len(part.ids)
    mask = torch.cat(
        [
            prompt[:, None, None].expand(rows, 1, nodes, begun.longest),
            part.ancestors.expand(rows, 1, nodes, nodes),
        ],
        -1,
    )
    positions = begun.cache.lengths[:, None] + part.depth
    reading = Reading(begun.memory, begun.sharing, mask, cache=Prompted(begun.cache, begun.longest))
    hidden = decoder.run(part.ids.expand(rows, nodes), positions, reading)
    with without_autocast(hidden.device):
        edges = _targets(decoder, hidden[:, part.node], part.token) - _totals(decoder, hidden)[:, part.node]
    nothing = edges.new_zeros(rows, 1)
    return torch.cat([edges, nothing], 1)[:, part.paths].sum(-1)


def _targets(
    decoder: TextDecoder, hidden: Float[Tensor, "rows edges width"], token: Int[Tensor, " edges"]
) -> Float[Tensor, "rows edges"]:
    """The logit of one token each."""
    hidden = hidden.to(decoder.output_bias.dtype)
    return torch.einsum("rew,ew->re", hidden, decoder.output_weight[token]) + decoder.output_bias[token]


def _totals(decoder: TextDecoder, hidden: Float[Tensor, "rows nodes width"]) -> Float[Tensor, "rows nodes"]:
    """Log of the sum of all exponentiated logits, a slice of positions at a time."""
    flat = hidden.flatten(0, 1)
    size = max(1, LOGITS // decoder.config.vocabulary)
    return torch.cat([decoder.logits(some).logsumexp(-1) for some in flat.split(size)]).view(hidden.shape[:2])
