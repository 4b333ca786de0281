"""LST for T5: the ladder of `lst.py` with T5 blocks, beside the encoder and beside the decoder.

Same block type and number of heads; d_model, d_ff and d_kv divided by r. The decoder ladder's cross attention reads the
encoder ladder's normed output. The result (width d_model) takes the place of the decoder's final output; the model
outside multiplies it by d_model^-0.5 and applies its frozen, tied lm_head.
Source: LST (NeurIPS 2022, arXiv 2206.06522), released T5 code; docs/papers.md section 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, T5Config
from transformers.models.t5.modeling_t5 import T5Attention, T5Block, T5LayerNorm

from ..backbones.features import Features
from ..errors import InputError
from .base import EncoderDecoderSide, Layout, SideCache
from .config import LSTConfig
from .lst import BlockCache, Ladder, may_see

_TABLE = "block.0.layer.0.SelfAttention.relative_attention_bias.weight"


def shrink(backbone: PretrainedConfig, config: LSTConfig, decoder: bool) -> T5Config:
    """Settings of the side T5: widths divided by the reduction, everything else the backbone's."""
    return T5Config(
        d_model=backbone.d_model // config.reduction,
        d_kv=max(1, backbone.d_kv // config.reduction),
        d_ff=max(1, backbone.d_ff // config.reduction),
        num_heads=backbone.num_heads,
        relative_attention_num_buckets=backbone.relative_attention_num_buckets,
        relative_attention_max_distance=backbone.relative_attention_max_distance,
        feed_forward_proj=backbone.feed_forward_proj,
        layer_norm_epsilon=backbone.layer_norm_epsilon,
        dropout_rate=config.dropout,
        is_decoder=decoder,
        attn_implementation="sdpa",  # type: ignore[call-arg]
    )


class LSTT5Stack(Ladder):
    """Ladder of T5 blocks beside one T5 stack.

    The first block owns the table of relative position biases; the others use the biases it computed.
    """

    def __init__(
        self, config: LSTConfig, widths: Sequence[int] | Layout, backbone: PretrainedConfig, decoder: bool
    ) -> None:
        super().__init__(config, widths, bias=True)
        if self.layout.width != backbone.d_model:
            raise InputError(f"The layout is {self.layout.width} wide, the T5 config {backbone.d_model}.")
        settings = shrink(backbone, config, decoder)
        self.blocks = nn.ModuleList(
            T5Block(settings, has_relative_attention_bias=index == 0, layer_idx=index)
            for index in range(len(self.downs))
        )
        self.norm = T5LayerNorm(self.size, eps=settings.layer_norm_epsilon)
        self.dropout = nn.Dropout(config.dropout)
        self.up = nn.Linear(self.size, self.layout.width) if decoder else None
        self._initialise(settings)

    def _initialise(self, settings: T5Config) -> None:
        """Blocks as T5 starts them (weights carry the scale that its attention lacks); projections N(0, 0.01)."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        width, inner = settings.d_model, settings.num_heads * settings.d_kv
        for block in self.blocks.modules():
            if isinstance(block, T5Attention):
                nn.init.normal_(block.q.weight, std=(width * settings.d_kv) ** -0.5)
                nn.init.normal_(block.k.weight, std=width**-0.5)
                nn.init.normal_(block.v.weight, std=width**-0.5)
                nn.init.normal_(block.o.weight, std=inner**-0.5)
                if block.has_relative_attention_bias:
                    nn.init.normal_(block.relative_attention_bias.weight, std=width**-0.5)
        for name, weight in self.blocks.named_parameters():
            if ".DenseReluDense." in name:
                nn.init.normal_(weight, std=(settings.d_ff if name.endswith("wo.weight") else width) ** -0.5)

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """Climb the ladder.

        Returns:
            Beside an encoder, `rest` with `final` (batch, tokens, d_model / r), which is the decoder ladder's memory;
            beside a decoder, `final` (batch, tokens, d_model), to be scaled by d_model^-0.5 before the lm_head.

        Raises:
            InputError: a decoder ladder without `memory`, or an encoder ladder with one.
        """
        if (self.up is None) != (memory is None):
            raise InputError(
                "The encoder ladder reads no memory; give it to the decoder ladder."
                if memory is not None
                else "The decoder ladder needs memory: what the encoder ladder returned for the same pictures or texts."
            )
        z = reduced[0]
        past, new = self.seen_before(cache, z), z.shape[1]
        mask = may_see(new, past + new, rest.mask, self.up is not None, z.device)
        context = None if memory is None else memory.final
        context_mask = None if memory is None else may_see(new, memory.final.shape[1], memory.mask, False, z.device)
        biases: list[Tensor | None] = [None, None]

        def block(index: int, z: Tensor) -> Tensor:
            z, *biases[:] = self.blocks[index](
                z,
                attention_mask=mask,
                position_bias=biases[0],
                encoder_hidden_states=context,
                encoder_attention_mask=context_mask,
                encoder_decoder_position_bias=biases[1],
                past_key_values=None if cache is None else BlockCache(cache, index, past),
            )
            return z

        z = self.dropout(self.norm(self.climb(reduced, block)))
        out = z if self.up is None else self.up(z)
        return replace(rest, states=(out,), final=out, pooled=None)


class LSTT5(EncoderDecoderSide):
    """Ladders beside a T5 encoder-decoder (also gated T5 v1.1 and its relatives with the same settings)."""

    config: LSTConfig
    encoder: LSTT5Stack
    decoder: LSTT5Stack

    def __init__(
        self,
        config: LSTConfig,
        encoder: Sequence[int] | Layout,
        decoder: Sequence[int] | Layout,
        backbone: PretrainedConfig,
    ) -> None:
        """
        Args:
            config: settings. encoder, decoder: widths of the chosen hidden states, embedding output first.
            backbone: the model's config: d_model, d_kv, d_ff, num_heads, relative_attention_*, feed_forward_proj,
                layer_norm_epsilon are read.

        Raises:
            InputError: form bert, fewer than two states, or a reduction above d_model.
        """
        if config.form == "bert":
            raise InputError("LSTConfig.form 'bert' asks for BERT blocks: build them with lichen.LST.")
        super().__init__(
            config,
            LSTT5Stack(config, encoder, backbone, decoder=False),
            LSTT5Stack(config, decoder, backbone, decoder=True),
        )

    @torch.no_grad()
    def copy_position_bias(self, state: Mapping[str, Tensor]) -> None:
        """Take both tables of relative position biases from the backbone's block 0, as published.

        Args:
            state: the state dict of the T5 model.

        Raises:
            InputError: `state` holds no such tables.
        """
        for name, stack in (("encoder", self.encoder), ("decoder", self.decoder)):
            if f"{name}.{_TABLE}" not in state:
                raise InputError(f"The state dict holds no '{name}.{_TABLE}'. Give that of a T5 encoder-decoder.")
            stack.get_parameter(_TABLE.replace("block", "blocks", 1)).copy_(state[f"{name}.{_TABLE}"])
