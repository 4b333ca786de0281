"""`TextDecoder`: a transformer decoder that looks at the un-pooled tokens of a frozen backbone.

Pictures go through `remember` once; any number of passes over texts read what it returns. Inputs are targets shifted
right by one (`loss.shift_right`), so that position i sees the tokens before i and predicts token i.

Source: LiT-decoder, arXiv 2303.17376, in the form of CapPa's published code; decoders.md 1.1.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ...errors import InputError
from ...side.ops import wide
from .blocks import EPS, Block, Reading
from .cache import Cache
from .config import DecoderConfig
from .memory import Memory
from .sharing import Sharing

Ids = Int[Tensor, "rows length"]


class TextDecoder(nn.Module):
    """Pre-norm decoder: token embedding, learned positions, blocks, a last norm, an output matrix that starts at zero.

    Since the output starts at zero, the first loss is ln V, whatever the pictures. With `tied` the output is the
    embedding, whose rows then start at length one and are stretched by sqrt(width) on the way in; the first loss lies
    about half a nat above ln V.

    Args:
        config: sizes.
        memory_width: channels of the backbone's tokens.

    Raises:
        InputError: a width below 1.
    """

    def __init__(self, config: DecoderConfig, memory_width: int) -> None:
        super().__init__()
        if memory_width < 1:
            raise InputError(f"memory_width must be at least 1; got {memory_width}.")
        self.config = config
        self.memory_width = memory_width
        self.embedding = nn.Embedding(config.vocabulary + 1, config.width)
        self.positions = nn.Parameter(torch.empty(config.context, config.width))
        self.blocks = nn.ModuleList(Block(config, memory_width) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, EPS)
        self.output = None if config.tied else nn.Linear(config.width, config.vocabulary, bias=False)
        self.output_bias = nn.Parameter(torch.empty(config.vocabulary))
        self._reset_own()

    @property
    def layers(self) -> list[Block]:
        """The blocks, bottom to top."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def reset_parameters(self) -> None:
        """Fresh values for every parameter; see decoders.md 1.1."""
        for block in self.layers:
            block.reset_parameters()
        self._reset_own()

    def _reset_own(self) -> None:
        std = 1 / math.sqrt(self.config.width)
        nn.init.normal_(self.embedding.weight, 0.0, std if self.config.tied else 1.0)
        nn.init.normal_(self.positions, 0.0, std)
        self.norm.reset_parameters()
        if self.output is not None:
            nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output_bias)

    def remember(
        self, memory: Float[Tensor, "pictures tokens channels"], mask: Bool[Tensor, "pictures tokens"] | None = None
    ) -> Memory:
        """Keys and values of every layer, computed once a picture.

        Args:
            memory: tokens of the backbone, of `memory_width` channels, in any floating dtype.
            mask: True where a token is real; None when all are. A picture without a real token is read as nothing.

        Raises:
            InputError: tokens of another width.
        """
        if memory.shape[-1] != self.memory_width:
            raise InputError(
                f"These tokens have {memory.shape[-1]} channels; this decoder was built for {self.memory_width}. Use "
                "the backbone and the side network that it was trained with."
            )
        memory = memory.to(self.output_bias.dtype)
        if mask is not None:
            # What stands in padding may be anything, even not a number.
            memory = torch.where(mask[:, :, None], memory, 0)
        pairs = [block.cross_attention.remember(memory) for block in self.layers]
        return Memory(tuple(keys for keys, _ in pairs), tuple(values for _, values in pairs), mask)

    def forward(
        self,
        ids: Ids,
        memory: Memory,
        picture: Int[Tensor, " rows"] | Sharing | None = None,
        *,
        lengths: Int[Tensor, " rows"] | None = None,
        causal: bool = True,
        cache: Cache | None = None,
    ) -> Float[Tensor, "rows length vocabulary"]:
        """Logits of the token at each position, in float32 or wider; see `hidden` for the arguments."""
        return self.logits(self.hidden(ids, memory, picture, lengths=lengths, causal=causal, cache=cache))

    def hidden(
        self,
        ids: Ids,
        memory: Memory,
        picture: Int[Tensor, " rows"] | Sharing | None = None,
        *,
        lengths: Int[Tensor, " rows"] | None = None,
        causal: bool = True,
        cache: Cache | None = None,
    ) -> Float[Tensor, "rows length width"]:
        """What `logits` turns into scores, so that scores are made only where they are needed.

        Args:
            ids: inputs, padded on the right; the first is `config.pad`, which starts every text. `config.mask` is a
                hidden input.
            memory: of the pictures.
            picture: which picture each row reads, or a grid that was made of that; None: row i reads picture i.
            lengths: inputs of each row without padding, at least 1; None when there is no padding, or when it does
                no harm: a causal pass without a cache never looks at it.
            causal: False lets every position look at all (parallel prediction, decoders.md 2.4), padding excepted if
                `lengths` tells it.
            cache: earlier tokens of these rows. These inputs come behind them, and are added.

        Raises:
            InputError: more tokens than the context holds, texts without a picture, or a cache without causality.
        """
        rows, length = ids.shape
        if not isinstance(picture, Sharing):
            picture = Sharing.of(picture, len(memory), rows, ids.device)
        memory, sharing = picture.settle(memory)
        if cache is not None:
            if not causal:
                raise InputError("A cache holds tokens that later ones look at; it needs causal=True.")
            positions = cache.expect(length)
            found = self.run(ids, positions, Reading(memory, sharing, cache.mask(), cache=cache))
            cache.advance(length if lengths is None else lengths)
            return found
        positions = torch.arange(length, device=ids.device)
        mask = None
        if lengths is not None and not causal:
            mask = (positions < lengths[:, None])[:, None, None].expand(rows, 1, length, length)
        return self.run(ids, positions.expand(rows, length), Reading(memory, sharing, mask, causal))

    def run(self, ids: Ids, positions: Ids, reading: Reading) -> Float[Tensor, "rows length width"]:
        """A pass with everything told: where each token stands and what it looks at.

        Raises:
            InputError: more tokens than the context holds.
        """
        if ids.shape[1] > self.config.context and reading.cache is None:
            raise InputError(
                f"A text of {ids.shape[1]} tokens does not fit into a context of {self.config.context}. Cut it, or "
                "train a decoder with a longer context."
            )
        x = self.embedding(ids)
        if self.config.tied:
            x = x * math.sqrt(self.config.width)
        x = x + self.positions[positions]
        for layer, block in enumerate(self.layers):
            x = block(x, layer, reading)
        return self.norm(x)

    def logits(
        self, hidden: Float[Tensor, "... width"], tokens: Int[Tensor, " some"] | None = None
    ) -> Float[Tensor, "... scores"]:
        """Scores of all tokens, or of some, in float32 or wider. The hidden input has none."""
        hidden = hidden.to(self.output_bias.dtype)
        if tokens is None:
            scores = functional.linear(hidden, self.output_weight, self.output_bias)
        else:
            scores = functional.linear(hidden, self.output_weight[tokens], self.output_bias[tokens])
        return scores.to(wide(scores.dtype))

    @property
    def output_weight(self) -> Float[Tensor, "vocabulary width"]:
        """The output matrix."""
        return self.embedding.weight[: self.config.vocabulary] if self.output is None else self.output.weight
