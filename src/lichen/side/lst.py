"""LST: a thin transformer that climbs beside the frozen one, fed from every kept layer through a gate.

    z <- W_0 h_0
    for every kept layer i:  mu_i = sigmoid(a_i / T)
                             z <- block_i(mu_i z + (1 - mu_i) W_i h_i)
    out = W_out z

Source: Ladder Side-Tuning (NeurIPS 2022, arXiv 2206.06522), released code; docs/papers.md section 3.1. This file holds
the ladder itself and the form with BERT blocks, published for CLIP-ViL at r = 4: no biases in the projections, no final
norm. The T5 form is in `lst_t5.py`. A hidden state that is not chosen leaves the side state as it is (layer dropping).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import BertConfig
from transformers.cache_utils import EncoderDecoderCache
from transformers.models.bert.modeling_bert import BertLayer

from ..backbones.features import Features
from ..errors import InputError
from .base import EncoderDecoderSide, Layout, Side, SideCache
from .config import LSTConfig
from .lean import LeanLinear


def may_see(
    queries: int, keys: int, mask: Bool[Tensor, "batch keys"] | None, causal: bool, device: torch.device
) -> Bool[Tensor, "batch 1 queries keys"] | None:
    """Which token each of the last `queries` tokens may look at; None when all may see all.

    A query that may see nothing (padding before the text) sees everything, so that its softmax stays finite; nothing
    that counts reads it.
    """
    if mask is None and not causal:
        return None
    seen = torch.ones(1, 1, queries, keys, dtype=torch.bool, device=device)
    if causal:
        seen = seen.tril(keys - queries)
    if mask is not None:
        if mask.shape[1] != keys:
            raise InputError(f"The mask covers {mask.shape[1]} tokens but {keys} are there. Give one entry a token.")
        seen = seen & mask[:, None, None, :]
    return seen | ~seen.any(-1, keepdim=True)


class _SelfKeys:
    """The self-attention part of `BlockCache`."""

    def __init__(self, cache: SideCache, slot: int) -> None:
        self.cache = cache
        self.slot = slot

    def update(self, keys: Tensor, values: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        """Append (batch, heads, new, size) keys and values; return those of all tokens so far."""
        heads, size = keys.shape[1], keys.shape[3]
        new = torch.cat([keys, values], -1).transpose(1, 2).flatten(2)
        whole = self.cache.extend(self.slot, new).unflatten(2, (heads, 2 * size)).transpose(1, 2)
        return whole[..., :size], whole[..., size:]


class _CrossKeys:
    """The cross-attention part of `BlockCache`: the memory is there in full at every step, so nothing is kept."""

    def update(self, keys: Tensor, values: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        return keys, values


class BlockCache(EncoderDecoderCache):
    """A `SideCache` slot that one transformers block can use as its `past_key_values`."""

    def __init__(self, cache: SideCache, slot: int, past: int) -> None:
        # The parent's constructor would build caches of its own; its two parts are replaced here instead.
        self.self_attention_cache = _SelfKeys(cache, slot)  # type: ignore[assignment]
        self.cross_attention_cache = _CrossKeys()  # type: ignore[assignment]
        self.is_updated = {}
        self.past = past

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens seen before those of this step."""
        return self.past


class Ladder(Side):
    """The part that all forms share: projections, gates, recursion, and room for earlier tokens."""

    config: LSTConfig
    blocks: nn.ModuleList

    def __init__(self, config: LSTConfig, widths: Sequence[int] | Layout, bias: bool) -> None:
        super().__init__(config, widths)
        layout = self.layout
        if layout.kind == "maps":
            raise InputError(
                "LST needs token states (batch, tokens, width), but this backbone gives maps "
                "(batch, width, rows, columns). Use UniPTConfig, SHERLConfig or PooledConfig."
            )
        if len(layout.widths) < 2:
            raise InputError("LST needs the embedding output and at least one layer: choose two hidden states or more.")
        if layout.width < config.reduction:
            raise InputError(f"LSTConfig.reduction is {config.reduction}, more than the backbone's width.")
        self.size = layout.width // config.reduction
        self.temperature = config.temperature
        self.first_down = LeanLinear(layout.widths[0], self.size, bias, config.keep)
        self.downs = nn.ModuleList(LeanLinear(width, self.size, bias, config.keep) for width in layout.widths[1:])
        self.gates = nn.ParameterList(nn.Parameter(torch.zeros(1)) for _ in layout.widths[1:])

    def reduce(self, index: int, state: Tensor, mask: Bool[Tensor, "batch tokens"] | None) -> Tensor:
        """Project hidden state `index` to the side width: (batch, tokens, width) to (batch, tokens, size)."""
        return self.first_down(state) if index == 0 else self.downs[index - 1](state)

    def mix(self, index: int) -> Float[Tensor, " 1"]:
        """Share of the side state (against the layer's) that enters block `index`; 0.5 at the start."""
        return torch.sigmoid(self.gates[index] / self.temperature)

    def climb(
        self, reduced: list[Tensor], block: Callable[[int, Float[Tensor, "batch tokens size"]], Tensor]
    ) -> Float[Tensor, "batch tokens size"]:
        """The recursion. `block(i, z)` runs side block i."""
        if any(item.shape != reduced[0].shape for item in reduced):
            raise InputError(
                f"LST needs hidden states with one number of tokens; got {[item.shape[1] for item in reduced]}. "
                "Choose layers of one stage, or use UniPTConfig or PooledConfig."
            )
        z = reduced[0]
        for index, layer in enumerate(reduced[1:]):
            mu = self.mix(index)
            z = block(index, mu * z + (1 - mu) * layer)
        return z

    def seen_before(self, cache: SideCache | None, z: Float[Tensor, "batch new size"]) -> int:
        """How many tokens came before these; counts these in. Uses the slot after those of the blocks."""
        if cache is None:
            return 0
        return cache.extend(len(self.blocks), z[..., :1].detach()).shape[1] - z.shape[1]


class LST(Ladder):
    """Ladder of BERT blocks beside any encoder, decoder or (with `memory`) the decoder of an encoder-decoder.

    `form="bert"` is as published: the up-projection's result replaces the final output. `form="auto"` adds it to the
    frozen final output, starting from zero, so that step 0 is the frozen model.
    """

    def __init__(
        self,
        config: LSTConfig,
        widths: Sequence[int] | Layout,
        memory: int | None = None,
        narrow: bool = False,
    ) -> None:
        """
        Args:
            config: settings. widths: of the hidden states; state 0 must be the embedding output.
            memory: width of the encoder side network's output, for blocks with cross attention to it.
            narrow: return the side state itself (width / reduction wide), as a decoder's memory.

        Raises:
            InputError: form t5 (see LSTT5), maps, fewer than two states, or a reduction above the width.
        """
        if config.form == "t5":
            raise InputError("LSTConfig.form 't5' is for T5 encoder-decoders: build it with lichen.side.lst_t5.LSTT5.")
        super().__init__(config, widths, bias=False)
        layout = self.layout
        heads = max(count for count in range(1, layout.heads + 1) if self.size % count == 0)
        settings = BertConfig(
            hidden_size=self.size,
            num_attention_heads=heads,
            intermediate_size=max(1, (layout.intermediate or 4 * layout.width) // config.reduction),
            hidden_dropout_prob=config.dropout,
            # Dropout on attention weights makes autograd keep every head's N x N map; only the published form has it.
            attention_probs_dropout_prob=config.dropout if config.form == "bert" else 0.0,
            is_decoder=memory is not None,
            add_cross_attention=memory is not None,
            attn_implementation="sdpa",  # type: ignore[call-arg]
        )
        self.blocks = nn.ModuleList(BertLayer(settings, layer_idx=index) for index in range(len(self.downs)))
        self.memory_down = None if memory in (None, self.size) else nn.Linear(memory, self.size, bias=False)
        self.crosses = memory is not None
        self.up = None if narrow else nn.Linear(self.size, layout.width, bias=False)
        self.residual = config.form == "auto" and not narrow
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if self.residual and self.up is not None:
            nn.init.zeros_(self.up.weight)

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """Climb the ladder and project up.

        Returns:
            `final` (also the only state) of shape (batch, tokens, width), or (batch, tokens, size) for a narrow
            network; `pooled` is None, since it belonged to the old final output.

        Raises:
            InputError: `memory` is missing for a network with cross attention, or given to one without.
        """
        if self.crosses != (memory is not None):
            raise InputError(
                "This LST was built with cross attention: give the encoder side network's output as memory."
                if self.crosses
                else "This LST was built without cross attention: pass memory=<width> to its constructor to use one."
            )
        z = reduced[0]
        past, new = self.seen_before(cache, z), z.shape[1]
        mask = may_see(new, past + new, rest.mask, self.layout.causal, z.device)
        context = context_mask = None
        if memory is not None:
            context = memory.final if self.memory_down is None else self.memory_down(memory.final)
            context_mask = may_see(new, context.shape[1], memory.mask, False, z.device)

        def block(index: int, z: Tensor) -> Tensor:
            return self.blocks[index](
                z,
                attention_mask=mask,
                encoder_hidden_states=context,
                encoder_attention_mask=context_mask,
                past_key_values=None if cache is None else BlockCache(cache, index, past),
            )

        z = self.climb(reduced, block)
        out = z if self.up is None else self.up(z)
        if self.residual:
            out = rest.final + out
        return replace(rest, states=(out,), final=out, pooled=None)


def lst_encoder_decoder(config: LSTConfig, encoder: Layout, decoder: Layout) -> EncoderDecoderSide:
    """Ladders beside an encoder-decoder such as BART: the decoder's blocks read the encoder ladder's narrow output."""
    low = LST(config, encoder, narrow=True)
    return EncoderDecoderSide(config, low, LST(config, decoder, memory=low.size))
