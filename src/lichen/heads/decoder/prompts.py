"""`Begun`: prompts read once, and all that decoding goes on from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError
from .cache import Cache
from .config import DecoderConfig
from .decoder import TextDecoder
from .memory import Memory
from .sharing import Sharing


@dataclass(frozen=True, eq=False)
class Begun:
    """A batch of texts whose prompts were read."""

    memory: Memory
    """By group of `sharing`."""
    sharing: Sharing
    """Which rows read which picture."""
    cache: Cache
    """The start token and the prompt of each row, with room for its answer."""
    hidden: Float[Tensor, "rows width"]
    """What the first token of each answer is predicted from."""
    limits: Int[Tensor, " rows"]
    """Most tokens of each answer, the end included. A row's own: it does not depend on the others."""
    shortest: int
    """Tokens of the shortest prompt, the start included."""
    longest: int
    """Tokens of the longest."""

    def repeat(self, times: int) -> Begun:
        """Every row `times` times, one after the other; the memory stays as it is."""
        return replace(
            self,
            sharing=self.sharing.repeat(times),
            cache=self.cache.repeat(times),
            hidden=self.hidden.repeat_interleave(times, 0),
            limits=self.limits.repeat_interleave(times),
        )


def started(
    prompt: Int[Tensor, "rows length"] | None, rows: int, config: DecoderConfig, device: torch.device
) -> tuple[Int[Tensor, "rows padded"], Int[Tensor, " rows"]]:
    """Prompts behind the start token, padded on the right wherever they were padded, and their lengths with it."""
    if prompt is None:
        prompt = torch.zeros(rows, 0, dtype=torch.long, device=device)
    real = prompt != config.pad
    order = real.logical_not().to(torch.uint8).argsort(dim=1, stable=True)
    lengths = real.sum(1) + 1
    longest = int(lengths.max())
    ids = torch.cat([prompt.new_full((len(prompt), 1), config.pad), prompt.gather(1, order)], 1)
    return ids[:, :longest], lengths


def begin(
    decoder: TextDecoder,
    memory: Memory,
    prompt: Int[Tensor, "rows length"] | None,
    picture: Int[Tensor, " rows"] | None,
    most: int,
) -> Begun:
    """Read the prompts of a batch.

    Args:
        decoder: in eval mode.
        memory: of the pictures.
        prompt: ids without a start token; padding, on either side, is `config.pad`. None: no prompt.
        picture: which picture each row reads; None: row i reads picture i.
        most: tokens that an answer may have, the end included; the context may leave fewer.

    Raises:
        InputError: prompts and pictures that do not fit together, or a prompt that leaves no room for a token.
    """
    config = decoder.config
    if most < 1:
        raise InputError(f"An answer has at least 1 token; got most={most}.")
    rows = len(memory) if picture is None else len(picture)
    if prompt is not None:
        rows = len(prompt)
    sharing = Sharing.of(picture, len(memory), rows, memory.device)
    memory, sharing = sharing.settle(memory)
    ids, lengths = started(prompt, rows, config, memory.device)
    shortest, longest = int(lengths.min()), ids.shape[1]
    if longest > config.context:
        raise InputError(
            f"The prompt of row {int(lengths.argmax())} has {longest} tokens with the start, but the context holds "
            f"{config.context}. Cut the prompt, or train a decoder with a longer context."
        )
    cache = Cache(config, rows, min(config.context, longest + most - 1), decoder.output_bias)
    hidden = decoder.hidden(ids, memory, sharing, lengths=lengths, cache=cache)
    last = hidden[torch.arange(rows, device=ids.device), lengths - 1]
    # The last token of an answer is never read, so it needs no place in the context.
    limits = (config.context + 1 - lengths).clamp(max=most)
    return Begun(memory, sharing, cache, last, limits, shortest, longest)
