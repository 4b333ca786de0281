"""UniPT for encoder-decoders: a small side memory, and a decoder side network that reads it.

Source: UniPT (CVPR 2024, arXiv 2308.14316), MDETR code; docs/papers.md section 1.6. For text decoders (T5, BART) this
is a reconstruction, section 1.7: the authors released no such code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..backbones.features import Features
from ..errors import InputError, pick
from .base import EncoderDecoderSide, Layout, Side, SideCache
from .config import UniPTConfig
from .interaction import Rule, all_tokens, confidence, interact
from .ops import Down, FeedForward, LinearNorm, NormKind, at_least, build_norm, init_xavier, side_width

EPS = 1e-7


class _Core(Side):
    """What both halves share: target and guide down-projections, gate, projection."""

    def __init__(self, config: UniPTConfig, widths: Sequence[int] | Layout, width: int) -> None:
        super().__init__(config, widths)
        at_least(2, self.layout.widths, "UniPT")
        *targets, last = self.layout.widths
        self.rule = Rule(causal=self.layout.causal, eps=EPS)
        self.down = nn.ModuleList(Down(each, width, keep=config.keep) for each in targets)
        self.down_guide = Down(last, width, keep=config.keep)
        self.gate = nn.Linear(width, 1)
        self.project = FeedForward(width, self.layout.width)

    def reduce(
        self, index: int, state: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch all"] | None
    ) -> Float[Tensor, "batch tokens side"]:
        """`LN(W H + b)` of a target, or of the guide, which is the last state."""
        return self.down_guide(state) if index == len(self.down) else self.down[index](state)

    def aggregate(self, states: Sequence[Tensor], new: int, mask: Tensor | None) -> Tensor:
        """Guide plus projected sum of the interactions, for the last `new` tokens."""
        *targets, guide = states
        weights = confidence(guide, targets, self.gate, mask, new if self.layout.causal else None)
        query = guide[:, guide.shape[1] - new :]
        return query + self.project(interact(query, targets, weights, mask, self.rule))


class UniPTMemory(_Core):
    """The encoder's half. Features out: the side memory (batch, tokens, side) at the side network's own width."""

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """`mem = A + LN(W_2 R(W_1 S))`."""
        out = self.aggregate(all_tokens(reduced, cache, self.layout.causal), reduced[-1].shape[1], rest.mask)
        return replace(rest, states=(out,), final=out, pooled=None)


class UniPTReader(_Core):
    """The decoder's half. Every target reads the side memory; the guide does not, as in the released code.

    Features out: `final` (batch, tokens, width). `states` holds all prediction levels, one a target and then `final`,
    when `auxiliary` is set, otherwise `final` alone.
    """

    def __init__(
        self,
        config: UniPTConfig,
        widths: Sequence[int] | Layout,
        width: int,
        auxiliary: bool,
        norm: NormKind,
        norm_eps: float,
    ) -> None:
        super().__init__(config, widths, width)
        self.auxiliary = auxiliary
        self.cross = nn.ModuleList(LinearNorm(width, width) for _ in self.down)
        self.up = nn.Linear(width, self.layout.width)
        self.norm = build_norm(norm, self.layout.width, norm_eps)

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """Read the memory, interact among the decoder's own tokens, go up. See `Side.combine`.

        Raises:
            InputError: `memory`, the adapted encoder output, is missing.
        """
        if memory is None:
            raise InputError("The decoder's side network needs memory=…, what the encoder's side network returned.")
        rule = Rule(identity=False, eps=EPS)
        targets = [
            target + cross(interact(target, [memory.final], None, memory.mask, rule))
            for target, cross in zip(reduced[:-1], self.cross, strict=True)
        ]
        states = all_tokens([*targets, reduced[-1]], cache, self.layout.causal)
        side = self.aggregate(states, reduced[-1].shape[1], rest.mask)
        levels = [*targets, side] if self.auxiliary else [side]
        outputs = tuple(self.norm(self.up(level.relu())) for level in levels)
        return replace(rest, states=outputs, final=outputs[-1], pooled=None)


class UniPTEncoderDecoder(EncoderDecoderSide):
    """UniPT beside an encoder-decoder (MDETR form, docs/papers.md 1.6; text decoders: reconstruction, 1.7).

    Args:
        config: `reduction` divides the decoder's width.
        encoder, decoder: layouts of the two stacks; a causal decoder layout makes interaction and confidence causal.
        norm, norm_eps: the norm after the final up-projection: layer for MDETR and BART, rms for T5.
        auxiliary: return one prediction level a target too; None does so unless the decoder is causal.

    Raises:
        InputError: a form that is not for encoder-decoders, `embed` set, or fewer than two states in a stack.
    """

    encoder: UniPTMemory
    decoder: UniPTReader

    def __init__(
        self,
        config: UniPTConfig,
        encoder: Sequence[int] | Layout,
        decoder: Sequence[int] | Layout,
        norm: NormKind = "layer",
        norm_eps: float = 1e-5,
        auxiliary: bool | None = None,
    ) -> None:
        pick("UniPT form for encoder-decoders", config.form, ("auto", "encoder-decoder"))
        reader = Layout.of(decoder)
        if config.embed not in (None, reader.width):
            raise InputError(f"embed={config.embed} is not used here: the output keeps the width {reader.width}.")
        width = side_width(reader.width, config.reduction)
        levels = not reader.causal if auxiliary is None else auxiliary
        super().__init__(
            config,
            UniPTMemory(config, encoder, width),
            UniPTReader(config, reader, width, levels, norm, norm_eps),
        )
        init_xavier(self)
