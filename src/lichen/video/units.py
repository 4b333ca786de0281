"""The gated layers that stand in a spatial transformer block, between its self-attention and its text attention.

`MotionUnit` looks at the objects of the frame, `ImageUnit` at the first picture, `MergedUnit` at both at once;
`ParallelUnits` weighs the results of the first two. With all gates at zero each is exactly the identity.

Sources: solids_and_video.md B2, B3; GLIGEN (CVPR 2023). The layers and names of `MotionUnit` are diffusers'
`GatedSelfAttentionDense`, so weights of GLIGEN load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from diffusers.models.attention import FeedForward, GatedSelfAttentionDense
from diffusers.models.attention_processor import Attention
from jaxtyping import Float
from torch import Tensor, nn

_FEED = 4
"""Of diffusers' own unit, and of the papers."""
Gates = Literal["closed", "open"]
Visual = Float[Tensor, "all_frames cells width"]
Tokens = Float[Tensor, "all_frames some token"]
Pictures = Float[Tensor, "all_frames others image_token"]


@dataclass(frozen=True)
class Shape:
    """A spatial block: its width and its attention heads."""

    width: int
    heads: int
    head_width: int


def open_gates(unit: Any) -> None:
    """Start with the gates at tanh(1), and with layers whose output is 0: the identity, but with a gradient.

    Source: solids_and_video.md C4, an experiment; no part of the papers.
    """
    with torch.no_grad():
        unit.alpha_attn.fill_(1.0)
        unit.alpha_dense.fill_(1.0)
        for layer in (unit.attn.to_out[0], unit.ff.net[-1]):
            layer.weight.zero_()
            layer.bias.zero_()


def gated(gate: Any, change: Tensor, strength: float) -> Tensor:
    """A change as far as its gate lets it through. At full strength nothing is multiplied, so bits stay."""
    passed: Tensor = gate.tanh() * change
    return passed if strength == 1.0 else strength * passed


class MotionUnit(GatedSelfAttentionDense):
    """Visual tokens and projected object tokens attend together; the visual part is kept. No token is masked."""

    def __init__(
        self, shape: Shape, token: int, gates: Gates = "closed", raster: bool = False, feed: int = _FEED
    ) -> None:
        """
        Args:
            shape: of the block.
            token: width of the object tokens.
            gates: where they begin; see `MotionConfig`.
            raster: also add object tokens to the cells that their boxes cover.
            feed: width of the feed-forward, times the block's.
        """
        super().__init__(shape.width, token, shape.heads, shape.head_width)
        if feed != _FEED:
            self.ff = FeedForward(shape.width, mult=feed, activation_fn="geglu")
        if gates == "open":
            open_gates(self)
        self.spread = nn.Linear(token, shape.width, bias=False) if raster else None
        if self.spread is not None:
            nn.init.zeros_(self.spread.weight)

    def forward(
        self,
        x: Visual,
        objects: Tokens,
        strength: float = 1.0,
        cover: Float[Tensor, "all_frames some cells"] | None = None,
    ) -> Visual:
        """Visual tokens after the unit.

        Args:
            x: visual tokens.
            objects: a token of every thing, absent ones included.
            strength: of all that is added; 0 for none.
            cover: share of every cell that lies in each present thing's box, where there is a raster.
        """
        count = x.shape[1]
        tokens = self.linear(objects)
        x = x + gated(self.alpha_attn, self.attn(self.norm1(torch.cat([x, tokens], 1)))[:, :count], strength)
        if self.spread is not None and cover is not None:
            x = x + strength * cover.transpose(1, 2).to(x.dtype) @ self.spread(objects)
        return x + gated(self.alpha_dense, self.ff(self.norm2(x)), strength)


class ImageUnit(nn.Module):
    """Visual tokens look at projected tokens of the first picture, which are not normalised (C5)."""

    def __init__(self, shape: Shape, token: int, gates: Gates = "closed", feed: int = _FEED) -> None:
        """
        Args:
            shape: of the block.
            token: width of the picture's tokens.
            gates: where they begin.
            feed: width of the feed-forward, times the block's.
        """
        super().__init__()
        self.linear = nn.Linear(token, shape.width)
        self.attn = Attention(
            query_dim=shape.width, cross_attention_dim=shape.width, heads=shape.heads, dim_head=shape.head_width
        )
        self.ff = FeedForward(shape.width, mult=feed, activation_fn="geglu")
        self.norm1 = nn.LayerNorm(shape.width)
        self.norm2 = nn.LayerNorm(shape.width)
        self.alpha_attn = nn.Parameter(torch.tensor(0.0))
        self.alpha_dense = nn.Parameter(torch.tensor(0.0))
        if gates == "open":
            open_gates(self)

    def forward(self, x: Visual, image: Pictures, strength: float = 1.0) -> Visual:
        """Visual tokens after the unit."""
        seen = self.attn(self.norm1(x), encoder_hidden_states=self.linear(image))
        x = x + gated(self.alpha_attn, seen, strength)
        return x + gated(self.alpha_dense, self.ff(self.norm2(x)), strength)


class MergedUnit(MotionUnit):
    """One self-attention over visual tokens, tokens of the picture and tokens of the objects (B3, a variant)."""

    def __init__(
        self,
        shape: Shape,
        token: int,
        image_token: int,
        gates: Gates = "closed",
        raster: bool = False,
        feed: int = _FEED,
    ) -> None:
        """
        Args:
            shape: of the block.
            token: width of the object tokens.
            image_token: width of the picture's tokens.
            gates, raster, feed: as `MotionUnit`.
        """
        super().__init__(shape, token, gates, raster, feed)
        self.linear_image = nn.Linear(image_token, shape.width)

    def forward(
        self,
        x: Visual,
        objects: Tokens | None,
        strength: float = 1.0,
        cover: Float[Tensor, "all_frames some cells"] | None = None,
        image: Pictures | None = None,
    ) -> Visual:
        """Visual tokens after the unit; tokens that are not given are left out."""
        count = x.shape[1]
        parts = [x]
        if image is not None:
            parts.append(self.linear_image(image).to(x.dtype))
        if objects is not None:
            parts.append(self.linear(objects).to(x.dtype))
        x = x + gated(self.alpha_attn, self.attn(self.norm1(torch.cat(parts, 1)))[:, :count], strength)
        if self.spread is not None and cover is not None and objects is not None:
            x = x + strength * cover.transpose(1, 2).to(x.dtype) @ self.spread(objects)
        return x + gated(self.alpha_dense, self.ff(self.norm2(x)), strength)


class ParallelUnits(nn.Module):
    """Both units on the same input, each result weighed by a gate of its own (B3, a variant).

    result = x + tanh(beta_object) · object unit(x) + tanh(beta_image) · image unit(x)
    """

    def __init__(self) -> None:
        super().__init__()
        self.beta_object = nn.Parameter(torch.tensor(0.0))
        self.beta_image = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Visual, by_objects: Visual | None, by_image: Visual | None) -> Visual:
        """The weighed sum; what was not given is left out."""
        if by_objects is not None:
            x = x + self.beta_object.tanh() * by_objects
        if by_image is not None:
            x = x + self.beta_image.tanh() * by_image
        return x
