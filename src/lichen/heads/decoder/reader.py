"""`MemoryReader`: features of any backbone, frozen or adapted, as the tokens that a decoder looks at.

Nothing is pooled. Maps are flattened row by row; a class token stays where the backbone has one. Features of several
backbones are projected to one width and stand behind each other.

Source: decoders.md 1.1 (the whole sequence before pooling) and 1.9, rule 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from ...backbones.features import Features
from ...errors import InputError
from ...side.ops import to_tokens
from ..given import Given
from .blocks import lecun_normal_

WAVELENGTH = 10_000.0
"""Longest wavelength of fixed positions, in cells over 2 pi."""


@dataclass(frozen=True)
class MemoryConfig:
    """What of the features a decoder looks at."""

    state: int | None = None
    """Number of the backbone's hidden state; None takes the final output, which a side network adapts."""
    standardise: bool = False
    """Bring each token to mean 0 and variance 1: for backbones without a last norm, such as convolutional ones."""
    positions: bool = False
    """Add fixed sines and cosines of row and column: for features that do not know where they lie."""


class MemoryReader(nn.Module):
    """Features in, tokens and their mask out.

    Args:
        given: what reaches the head; by part where there are several backbones.
        config: what of it is read.
        widths: channels of the state that is read, by part, where it is not the final output.

    Raises:
        InputError: one vector a sample arrives, or only what the side network leaves as it is, or no width is known.
    """

    def __init__(
        self,
        given: Given | Mapping[str, Given],
        config: MemoryConfig = MemoryConfig(),
        widths: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        parts = {"": given} if isinstance(given, Given) else dict(given)
        if not parts:
            raise InputError("A decoder needs at least one backbone to look at.")
        for name, each in parts.items():
            _check(name, each, config)
        self.widths = {name: each.width for name, each in parts.items()}
        if config.state is not None:
            if widths is None or set(widths) != set(parts):
                raise InputError(f"Say by widths= how wide hidden state {config.state} is in each of {list(parts)}.")
            self.widths = dict(widths)
        self.width = max(self.widths.values())
        """Channels of the tokens."""
        self.projections = nn.ModuleDict()
        if len(parts) > 1:
            for part, width in self.widths.items():
                linear = nn.Linear(width, self.width)
                lecun_normal_(linear.weight)
                nn.init.zeros_(linear.bias)
                self.projections[part] = linear

    def forward(
        self, features: Features | Mapping[str, Features]
    ) -> tuple[Float[Tensor, "pictures tokens width"], Bool[Tensor, "pictures tokens"] | None]:
        """Tokens, and which of them are real (None: all).

        Args:
            features: of the one backbone, or by part.

        Raises:
            InputError: a part is missing, features lack the state that is read, or it has another width.
        """
        if isinstance(features, Features):
            features = {"": features}
        elif list(self.widths) == [""] and len(features) == 1:
            features = {"": next(iter(features.values()))}
        if missing := [name for name in self.widths if name not in features]:
            raise InputError(f"Features of {missing} are missing; there are those of {list(features)}.")
        found = [self._read(name, features[name]) for name in self.widths]
        if len(found) == 1:
            return found[0]
        masks = None
        if any(mask is not None for _, mask in found):
            full = [tokens.new_ones(tokens.shape[:2], dtype=torch.bool) for tokens, _ in found]
            masks = torch.cat([own if mask is None else mask for own, (_, mask) in zip(full, found, strict=True)], 1)
        return torch.cat([tokens for tokens, _ in found], 1), masks

    def _read(self, name: str, features: Features) -> tuple[Tensor, Tensor | None]:
        state = features.final
        if self.config.state is not None:
            state = features.select((self.config.state,)).states[0]
        grid = features.grid
        if state.ndim == 4:
            grid = (state.shape[2], state.shape[3])
            state = to_tokens(state)
        if state.ndim != 3 or state.shape[-1] != self.widths[name]:
            raise InputError(
                f"Tokens of {self.widths[name]} channels are expected; got features of shape {list(state.shape)}. Use "
                "the backbone and the side network that the head was trained with."
            )
        if self.config.standardise:
            state = functional.layer_norm(state, state.shape[-1:])
        if self.config.positions:
            state = state + _positions(grid, state)
        if name in self.projections:
            linear = self.projections[name]
            state = linear(state.to(next(linear.parameters()).dtype))
        return state, features.mask


def _check(name: str, given: Given, config: MemoryConfig) -> None:
    where = f" of {name!r}" if name else ""
    if given.kind == "vector":
        raise InputError(
            f"The side network{where} gives one vector a sample, but a decoder looks at tokens. Choose another method, "
            "such as unipt with form='generic'."
        )
    if given.adapted and "final" not in given.adapted:
        raise InputError(
            f"The side network{where} changes only the pooled output, which a decoder does not look at: it would never "
            "be trained. Choose another form, or the probe."
        )
    if config.state is not None and given.adapted:
        raise InputError(
            f"Hidden state {config.state}{where} is frozen, so the side network would never be trained. Set state=None "
            "to read what it adapts, or choose the probe."
        )


def _positions(grid: tuple[int, int] | None, tokens: Float[Tensor, "pictures tokens width"]) -> Tensor:
    """Sines and cosines of row and column, (tokens, width); zeros for tokens before the grid, such as [CLS]."""
    count, width = tokens.shape[1:]
    if grid is None or count < grid[0] * grid[1]:
        raise InputError(
            "Positions need a grid of patches, and these features have none, or lack some of it. Set positions=False."
        )
    rows = torch.arange(grid[0], device=tokens.device, dtype=torch.float32)
    columns = torch.arange(grid[1], device=tokens.device, dtype=torch.float32)
    waves = width // 4
    speed = WAVELENGTH ** -(torch.arange(waves, device=tokens.device) / max(waves, 1))
    down, across = (places[:, None] * speed for places in (rows, columns))
    down, across = down.repeat_interleave(grid[1], 0), across.repeat(grid[0], 1)
    table = torch.cat([down.sin(), down.cos(), across.sin(), across.cos()], 1)
    before = count - len(table)
    return functional.pad(table, (0, width - table.shape[1], before, 0)).to(tokens.dtype)
