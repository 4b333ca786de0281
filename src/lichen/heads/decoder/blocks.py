"""One layer of the decoder, and its parts.

`x + drop(self-attention(LN x))`, `x + drop(cross-attention(LN x))`, `x + MLP(LN x)`. Source: decoders.md 1.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from .cache import KeyValues
from .config import DecoderConfig
from .memory import Memory
from .sharing import Sharing

EPS = 1e-6
"""Of every layer norm."""
_TRUNCATED = 0.87962566103423978
"""Standard deviation of a standard normal variable that is cut off at two standard deviations."""

Hidden = Float[Tensor, "rows length width"]
Heads = Float[Tensor, "rows heads length depth"]


@dataclass(frozen=True, eq=False)
class Reading:
    """What a pass over texts looks at, besides the texts."""

    memory: Memory
    """By group of `sharing`."""
    sharing: Sharing
    """Which rows read which picture."""
    mask: Bool[Tensor, "#rows 1 #length all"] | None = None
    """Which tokens a token may look at; None: see `causal`."""
    causal: bool = True
    """Without a mask: only those before it and itself, or all."""
    cache: KeyValues | None = None
    """Earlier tokens."""


def lecun_normal_(weight: Tensor) -> None:
    """Draw from a normal distribution of variance 1 / fan-in, cut off at two standard deviations (flax's default)."""
    std = math.sqrt(1 / weight.shape[1]) / _TRUNCATED
    nn.init.trunc_normal_(weight, 0.0, std, -2 * std, 2 * std)


class Attention(nn.Module):
    """What both attentions share: heads, dropout on the weights, the output projection; no biases."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout = config.dropout
        self.out = nn.Linear(config.width, config.width, bias=False)

    def split(self, x: Float[Tensor, "rows length width"]) -> Heads:
        """Channels to heads."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def attend(
        self, query: Heads, keys: Tensor, values: Tensor, mask: Tensor | None, causal: bool = False
    ) -> Float[Tensor, "rows length width"]:
        """Weighted values, heads side by side; where a row may look at nothing, zeros."""
        drop = self.dropout if self.training else 0.0
        # Under autocast new keys are in half precision, while those of a cache or a memory may be wider.
        keys, values = keys.to(query.dtype), values.to(query.dtype)
        found = functional.scaled_dot_product_attention(query, keys, values, mask, dropout_p=drop, is_causal=causal)
        return found.transpose(1, 2).flatten(2)


class SelfAttention(Attention):
    """Tokens look at the tokens before them."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)

    def forward(self, x: Hidden, layer: int, reading: Reading) -> Hidden:
        """Look; the tokens are kept in the reading's cache, if it has one."""
        query, keys, values = (self.split(part) for part in self.qkv(x).chunk(3, -1))
        if reading.cache is not None:
            keys, values = reading.cache.append(layer, keys, values)
        causal = reading.causal and reading.mask is None and query.shape[2] > 1
        return self.out(self.attend(query, keys, values, reading.mask, causal))


class CrossAttention(Attention):
    """Tokens look at a picture. Keys and values are made of its tokens as they come: no norm, no positions."""

    def __init__(self, config: DecoderConfig, memory_width: int) -> None:
        super().__init__(config)
        self.query = nn.Linear(config.width, config.width, bias=False)
        self.kv = nn.Linear(memory_width, 2 * config.width, bias=False)

    def remember(self, memory: Float[Tensor, "pictures tokens channels"]) -> tuple[Tensor, Tensor]:
        """Keys and values, (pictures, heads, tokens, depth) each."""
        keys, values = self.kv(memory).chunk(2, -1)
        return self.split(keys), self.split(values)

    def forward(self, x: Hidden, layer: int, reading: Reading) -> Hidden:
        """Look, all texts of a group at once."""
        memory, sharing = reading.memory, reading.sharing
        query = self.split(sharing.fold(self.query(x)))
        mask = None if memory.mask is None else memory.mask[:, None, None]
        found = self.attend(query, memory.keys[layer], memory.values[layer], mask)
        return self.out(sharing.unfold(found, x.shape[1]))


class Block(nn.Module):
    """A layer. Names of parameters tell kernels (`weight` of a linear layer) from what weight decay leaves alone."""

    def __init__(self, config: DecoderConfig, memory_width: int) -> None:
        super().__init__()
        self.norm_self = nn.LayerNorm(config.width, EPS, bias=config.bias)
        self.self_attention = SelfAttention(config)
        self.norm_cross = nn.LayerNorm(config.width, EPS, bias=config.bias)
        self.cross_attention = CrossAttention(config, memory_width)
        self.norm_mlp = nn.LayerNorm(config.width, EPS, bias=config.bias)
        self.expand = nn.Linear(config.width, config.mlp, bias=config.bias)
        self.contract = nn.Linear(config.mlp, config.width, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Fresh values: LeCun's normal for attention, Xavier's uniform for the MLP with biases near zero."""
        for attention in (self.self_attention, self.cross_attention):
            for weight in attention.parameters():
                lecun_normal_(weight)
        for linear in (self.expand, self.contract):
            nn.init.xavier_uniform_(linear.weight)
            if linear.bias is not None:
                nn.init.normal_(linear.bias, 0.0, 1e-6)
        for norm in (self.norm_self, self.norm_cross, self.norm_mlp):
            norm.reset_parameters()

    def forward(self, x: Hidden, layer: int, reading: Reading) -> Hidden:
        """Apply the layer; `layer` is its number."""
        x = x + self.dropout(self.self_attention(self.norm_self(x), layer, reading))
        x = x + self.dropout(self.cross_attention(self.norm_cross(x), layer, reading))
        inner = functional.gelu(self.expand(self.norm_mlp(x)), approximate="tanh")
        # Dropout inside the MLP only, none on its output.
        return x + self.contract(self.dropout(inner))
