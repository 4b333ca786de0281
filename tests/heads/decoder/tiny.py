"""Small decoders with weights that make a difference, memories of pictures, and prompts."""

from __future__ import annotations

import torch
from torch import Tensor

from lichen.heads.decoder.config import DecoderConfig
from lichen.heads.decoder.decoder import TextDecoder

WIDTH = 10
"""Channels of the memory."""


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_decoder(seed: int = 0, scale: float = 0.4, ends: float = 0.0, **changes) -> TextDecoder:
    """In eval mode and double precision, with every parameter moved, so that outputs differ from row to row.

    `ends` makes it likelier that texts end.
    """
    values = {"vocabulary": 23, "layers": 2, "width": 16, "heads": 4, "mlp": 24, "context": 12} | changes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        decoder = TextDecoder(DecoderConfig(**values), WIDTH).double().eval()
        with torch.no_grad():
            for parameter in decoder.parameters():
                parameter.add_(scale * torch.randn_like(parameter))
            decoder.output_bias[decoder.config.end] += ends
    return decoder


def make_memory(pictures: int = 5, tokens: int = 7, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Tokens of pictures, and which of them are real."""
    lengths = torch.tensor([tokens - (3 * row) % (tokens - 1) for row in range(pictures)])
    return 2 * draw(seed, pictures, tokens, WIDTH), torch.arange(tokens) < lengths[:, None]


def ids_of(rows: list[list[int]], pad: int = 0) -> Tensor:
    """Rows padded on the right."""
    longest = max(len(row) for row in rows)
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows], dtype=torch.long)


def random_ids(seed: int, rows: int, length: int, vocabulary: int = 23) -> Tensor:
    """Tokens other than padding and end."""
    return torch.randint(2, vocabulary, (rows, length), generator=torch.Generator().manual_seed(seed))
