"""What every side network is: Features in, Features out, in two steps.

`reduce` handles one hidden state at a time, as soon as the backbone has produced it, so that a live pass never has to
hold them all; `combine` turns the reduced states into adapted features. Calling the module runs both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..backbones.features import Features
from ..errors import InputError
from .config import SideConfig
from .hub import SavedSide


@dataclass(frozen=True)
class Layout:
    """What a side network must know of a backbone in order to be built."""

    widths: tuple[int, ...]
    """Channel width of each chosen hidden state, shallow to deep."""
    width: int
    """Width of the final output."""
    kind: Literal["tokens", "maps"] = "tokens"
    """tokens: (batch, tokens, width); maps: (batch, width, rows, columns)."""
    causal: bool = False
    """True when a token may only see those before it."""
    embed: int | None = None
    """Width of the pooled output or projected embedding, where the backbone has one."""
    heads: int = 1
    """Attention heads of a backbone layer."""
    intermediate: int = 0
    """Width of a backbone layer's feed-forward part; 0 stands for four times the width."""

    @classmethod
    def of(cls, widths: Sequence[int] | Layout) -> Layout:
        """Accept a plain list of widths wherever a layout is wanted."""
        if isinstance(widths, Layout):
            return widths
        if not widths or any(not isinstance(width, int) or width < 1 for width in widths):
            raise InputError(f"widths must list the width of at least one hidden state; got {widths!r}.")
        return cls(tuple(widths), widths[-1])


@runtime_checkable
class SideCache(Protocol):
    """Keeps what a causal side network needs of earlier tokens while text is generated."""

    def extend(self, slot: int, new: Float[Tensor, "batch new width"]) -> Float[Tensor, "batch all width"]:
        """Append to a slot and return all that it holds."""
        ...


class Side(SavedSide, nn.Module, ABC):
    """Base of all side networks. The constructor takes settings and a layout and touches nothing else."""

    pooled_only = False
    """True when the network gives one vector a sample, which token tasks cannot use."""

    def __init__(self, config: SideConfig, widths: Sequence[int] | Layout) -> None:
        super().__init__()
        self.config = config
        self.layout = Layout.of(widths)

    def reduce(self, index: int, state: Tensor, mask: Bool[Tensor, "batch tokens"] | None) -> Tensor:
        """Shrink hidden state number `index` (counted among the chosen ones). The default keeps it as it is."""
        return state

    @abstractmethod
    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """Turn reduced states, and the backbone's features without their states, into adapted features.

        Args:
            reduced: what `reduce` returned, one entry a chosen state, shallow to deep.
            rest: mask, grid, final output, pooled output and anchor; `states` is empty, but for SHERL, whose fusion
                needs the raw last state. While text is generated
                `final` holds the new tokens only and `mask` covers all tokens so far.
            cache: tokens seen before, for causal networks during generation.
            memory: the adapted encoder output that a decoder's side network reads.
        """

    def forward(self, features: Features) -> Features:
        """Adapt features.

        Raises:
            InputError: the number or the widths of the states differ from those the network was built for.
        """
        return self.combine(self.reduce_all(features), replace(features, states=(), indices=None))

    def reduce_all(self, features: Features) -> list[Tensor]:
        """`reduce` every state of the features, after a check that they are the ones this network reads."""
        if features.widths != self.layout.widths:
            raise InputError(
                f"{type(self).__name__} was built for hidden states of widths {list(self.layout.widths)}, "
                f"but got {list(features.widths)}. Read the same layers of the same backbone."
            )
        return [self.reduce(index, state, features.mask) for index, state in enumerate(features.states)]


class EncoderDecoderSide(nn.Module):
    """Two side networks for an encoder-decoder: the decoder's reads what the encoder's returns as `memory`."""

    pooled_only = False

    def __init__(self, config: SideConfig, encoder: Side, decoder: Side) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.decoder = decoder
