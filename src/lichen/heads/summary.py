"""`Summary`: one vector a sample out of features, for tasks that ask one question of a whole picture or text.

mean      mean of the real tokens; for pictures of the patches alone; for maps of all positions
cls       the summary token: the anchor where the backbone has one, token 0 elsewhere
cls+mean  both, side by side
last      the last real token, or the anchor: all that a causal backbone has read
pooled    the pooled output, of the backbone or of a side network that gives one vector
gpo       every channel's ranked values, weighted by what a small network learns (VSE-infinity)
auto      pooled from joint spaces and from networks that change nothing else; then by backbone: mean for text, last
          for causal text, cls+mean for the tokens of a picture, pooled (or mean) for maps
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..backbones.features import Features
from ..errors import InputError, pick
from ..side.gpo import GPO
from ..side.ops import at_anchor, masked_mean, to_tokens, wide
from .given import Given

Pooling = Literal["auto", "mean", "cls", "cls+mean", "last", "pooled", "gpo"]


class Summary(nn.Module):
    """Turns features into (batch, `width`) vectors.

    Args:
        given: what reaches the head.
        pooling: how; see the table above. `self.pooling` holds what auto became.

    Raises:
        InputError: this pooling needs what the features lack, or reads only what the side network leaves as it is, so
            that the network would never be trained.
    """

    def __init__(self, given: Given, pooling: Pooling = "auto") -> None:
        super().__init__()
        pick("pooling", pooling, get_args(Pooling))
        self.given = given
        self.pooling = choose(given) if pooling == "auto" else pooling
        _check(given, self.pooling)
        self.names = tuple(self.pooling.split("+"))
        self.widths = tuple(_width(given, name) for name in self.names)
        self.gpo = GPO() if self.pooling == "gpo" else None

    @property
    def width(self) -> int:
        """Width of the vector."""
        return sum(self.widths)

    def forward(self, features: Features, standardise: bool = False) -> Float[Tensor, "batch width"]:
        """One vector a sample, in float32 or wider; a text without a real token gives zeros as its mean.

        Args:
            features: adapted or frozen ones.
            standardise: bring each of the vectors side by side to mean 0 and variance 1 over its width.

        Raises:
            InputError: the features lack what this summary reads, or have another width than it was built for.
        """
        parts = []
        for name, width in zip(self.names, self.widths, strict=True):
            part = self._read(name, features)
            if part.shape[-1] != width:
                raise InputError(
                    f"The {name} vector of these features is {part.shape[-1]} wide; this head was built for {width}. "
                    "Use the backbone and the side network that the head was trained with."
                )
            parts.append(nn.functional.layer_norm(part, part.shape[-1:]) if standardise else part)
        return torch.cat(parts, -1) if len(parts) > 1 else parts[0]

    def tokens(
        self, features: Features
    ) -> tuple[Float[Tensor, "batch tokens width"], Bool[Tensor, "batch tokens"] | None]:
        """What mean and gpo pool: real tokens, patches or map positions, with their mask (None: all are real).

        Raises:
            InputError: there are fewer tokens than the picture has patches.
        """
        final, mask = features.final, features.mask
        if features.is_maps:
            return to_tokens(final), None
        first = _before_patches(features)
        return final[:, first:], None if mask is None else mask[:, first:]

    def _read(self, name: str, features: Features) -> Tensor:
        if name == "pooled":
            if features.pooled is None:
                raise InputError("These features hold no pooled output. Choose pooling='mean' or 'cls'.")
            vector = features.pooled
        elif name == "cls":
            if features.grid is not None and _before_patches(features) == 0:
                raise InputError("The first token of these features is a patch, no [CLS]. Choose pooling='mean'.")
            vector = at_anchor(features.final, features.anchor)
        elif name == "last":
            vector = at_anchor(features.final, _last(features))
        else:
            tokens, mask = self.tokens(features)
            tokens = tokens.to(wide(tokens.dtype))
            vector = masked_mean(tokens, mask) if self.gpo is None else self.gpo(tokens, mask)
        return vector.to(wide(vector.dtype))


def choose(given: Given) -> Literal["mean", "cls+mean", "last", "pooled"]:
    """What pooling="auto" stands for.

    A joint space is where the two towers of CLIP were taught to agree, so its embedding is taken where one arrives.
    """
    summed_up = given.pooled is not None and (not given.adapted or "pooled" in given.adapted)
    if given.kind == "vector" or given.adapted == ("pooled",) or (summed_up and given.projected):
        return "pooled"
    if given.kind == "maps":
        return "pooled" if summed_up else "mean"
    if given.causal:
        return "last"
    return "cls+mean" if given.modality == "image" and given.summary_token else "mean"


def _check(given: Given, pooling: str) -> None:
    if pooling == "pooled" and given.pooled is None:
        raise InputError(
            "pooling='pooled' needs a pooled output, and none arrives: this backbone has none, or the side network "
            "changes the tokens that it was made from. Choose pooling='mean' or 'auto'."
        )
    if given.kind == "vector" and pooling != "pooled":
        raise InputError(
            f"pooling={pooling!r} needs tokens or a map, but the side network gives one vector a sample. "
            "Choose pooling='pooled' or 'auto'."
        )
    if given.kind == "maps" and pooling in ("cls", "cls+mean", "last"):
        raise InputError(f"pooling={pooling!r} needs tokens, but this backbone gives maps. Choose 'mean' or 'auto'.")
    if "cls" in pooling and not given.summary_token:
        raise InputError(
            f"pooling={pooling!r} needs a [CLS] token, which this backbone lacks. Choose 'mean' or 'auto'."
        )
    source = "pooled" if pooling == "pooled" else "final"
    if given.adapted and source not in given.adapted:
        raise InputError(
            f"pooling={pooling!r} reads only what this side network leaves as it is, so that it would never be "
            f"trained. Choose {'pooled' if source == 'final' else 'mean'!r} or 'auto'."
        )


def _width(given: Given, name: str) -> int:
    return given.pooled if name == "pooled" and given.pooled is not None else given.width


def _before_patches(features: Features) -> int:
    """How many tokens ([CLS], registers) stand before the patches of a picture; 0 for text."""
    if features.grid is None:
        return 0
    rows, columns = features.grid
    tokens = features.final.shape[1]
    if tokens < rows * columns:
        raise InputError(
            f"There are {tokens} tokens for a grid of {rows} x {columns} patches. "
            "A store that leaves tokens out must leave the grid out too."
        )
    return tokens - rows * columns


def _last(features: Features) -> Tensor:
    """Position of the last real token of each sample, (batch,)."""
    final, mask = features.final, features.mask
    if features.anchor is not None:
        return features.anchor
    if mask is None:
        return torch.full((len(final),), final.shape[1] - 1, device=final.device)
    return (torch.arange(mask.shape[1], device=mask.device) * mask).argmax(1)
