"""SHERL for encoder-decoders: a fused side memory, and a decoder whose last block reads it.

Source: SHERL (ECCV 2024, arXiv 2407.07523); docs/papers.md sections 2.3 (MDETR) and 2.4 (T5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..backbones.features import Features
from ..errors import InputError, pick
from .base import EncoderDecoderSide, Layout, Side, SideCache
from .config import SHERLConfig
from .ops import NormKind, build_norm
from .sherl import SHERL, Late, last_of

FORMS = {"auto": "t5", "generic": "t5", "t5": "t5", "detr": "detr"}
"""Accepted forms, and the row of `sherl.FORMS` that each stack follows."""


class SHERLMemory(Side):
    """The encoder's half. It has no late layer: the fused state, normed, is the memory of the decoder's last block.

    Features out: `final` (batch, tokens, width).
    """

    def __init__(self, config: SHERLConfig, widths: Sequence[int] | Layout, norm: NormKind, norm_eps: float) -> None:
        super().__init__(config, widths)
        self.fusion = SHERL(config, self.layout)
        self.norm = build_norm(norm, self.layout.widths[-1], norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def reduce(
        self, index: int, state: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch tokens"] | None
    ) -> Float[Tensor, "batch tokens side"]:
        """`E_i = Down_i(H_i)`."""
        return self.fusion.reduce(index, state, mask)

    def fuse(
        self, reduced: list[Tensor], last_state: Float[Tensor, "batch tokens width"]
    ) -> Float[Tensor, "batch tokens width"]:
        """`Z_e`, before the norm."""
        return self.fusion.fuse(reduced, last_state)

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """`dropout(norm(Z_e))`. `rest.states` must hold the raw last state.

        Raises:
            InputError: `rest.states` is empty.
        """
        out = self.dropout(self.norm(self.fuse(reduced, last_of(rest))))
        return replace(rest, states=(out,), final=out, pooled=None)

    def forward(self, features: Features) -> Features:
        """Adapt features. See `Side.forward`."""
        return self.combine(self.reduce_all(features), replace(features, states=features.states[-1:], indices=None))


class SHERLReader(SHERL):
    """The decoder's half: `fuse` gives the last block's input, `finish` norms that block's output."""

    def __init__(
        self,
        config: SHERLConfig,
        widths: Sequence[int] | Layout,
        norm: NormKind,
        norm_eps: float,
        late: Late | None = None,
    ) -> None:
        super().__init__(config, widths, late)
        self.norm = build_norm(norm, self.layout.width, norm_eps)

    def finish(self, hidden: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        """The norm that stands in for the frozen final one; called by whoever ran the late block."""
        return self.norm(hidden)


class SHERLEncoderDecoder(EncoderDecoderSide):
    """SHERL beside an encoder-decoder.

    Args:
        config: form `t5` (also `auto`) or `detr`; the published T5 reduction is 8.
        encoder, decoder: layouts of the chosen states of the two stacks. The decoder's should leave out the last
            block's output, since that block is the late layer.
        norm, norm_eps: norm over the memory and over the late block's output: rms for T5, layer for BART-like models,
            none for MDETR, whose frozen decoder norm is kept. Weights start at one.
        late: runs the decoder's last block on (fused state, features); None where the caller does.

    Raises:
        InputError: a form that is not for encoder-decoders, `embed` set, or fewer than two states in a stack.
    """

    encoder: SHERLMemory
    decoder: SHERLReader

    def __init__(
        self,
        config: SHERLConfig,
        encoder: Sequence[int] | Layout,
        decoder: Sequence[int] | Layout,
        norm: NormKind = "rms",
        norm_eps: float = 1e-6,
        late: Late | None = None,
    ) -> None:
        if config.embed is not None:
            raise InputError("embed is not used here: the fused states keep their widths. Leave embed=None.")
        form = FORMS[pick("SHERL form for encoder-decoders", config.form, FORMS)]
        inner = replace(config, form=form)  # type: ignore[arg-type]
        super().__init__(
            config, SHERLMemory(inner, encoder, norm, norm_eps), SHERLReader(inner, decoder, norm, norm_eps, late)
        )
