"""`DecoderConfig`: sizes and regularisation of a text decoder, and the three sizes in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ...errors import InputError, nearest, pick

PRESETS: dict[str, dict[str, int]] = {"small": {"layers": 2}, "medium": {"layers": 6}, "large": {"layers": 12}}
"""Sizes by what they are for: 2 layers do well on captions, classes and questions, 6 are used for grounding, and 12 are
what published tables of LiT-decoder use. All are 768 wide. Source: decoders.md 0.2 and 1.1."""


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Settings of a text decoder. Source: decoders.md 1.1 and 1.6.

    Raises:
        InputError: a value out of range.
    """

    vocabulary: int
    """Tokens that can be written. The decoder adds one that only stands for a hidden input ([MASK], its id is this)."""
    layers: int = 2
    """Blocks of self-attention, cross-attention and MLP."""
    width: int = 768
    """Width of the residual stream."""
    heads: int = 12
    """Attention heads; they divide the width."""
    mlp: int = 3072
    """Width inside the MLP."""
    context: int = 64
    """Most tokens of a text: prompt, answer and end together."""
    dropout: float = 0.1
    """After both attentions, on attention weights and inside the MLP, in training."""
    label_smoothing: float = 0.1
    """Share of a target that is spread over all other tokens."""
    tied: bool = False
    """Use the embedding as output matrix too: half the parameters of a small decoder, but a start away from ln V."""
    bias: bool = True
    """Biases in layer norms and MLPs of the blocks. Attention never has any, the last norm always has one."""
    pad: int = 0
    """Token that fills rows up. It also starts every text, so it is never written or learnt."""
    end: int = 1
    """Token behind which nothing comes. It is learnt."""

    def __post_init__(self) -> None:
        for name in ("vocabulary", "layers", "width", "heads", "mlp", "context"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"DecoderConfig.{name} must be a whole number of at least 1; got {value!r}.")
        for name in ("dropout", "label_smoothing"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InputError(f"DecoderConfig.{name} must lie in [0, 1); got {getattr(self, name)}.")
        if self.width % self.heads:
            raise InputError(f"The width must be a multiple of the heads; got {self.width} and {self.heads}.")
        if self.pad == self.end or not 0 <= min(self.pad, self.end) <= max(self.pad, self.end) < self.vocabulary:
            raise InputError(
                f"pad and end must be two of {self.vocabulary} tokens; got pad={self.pad} and end={self.end}."
            )

    @property
    def mask(self) -> int:
        """Id of the hidden input, [MASK]; no logit belongs to it."""
        return self.vocabulary

    def to_dict(self) -> dict[str, Any]:
        """Plain values under their field names."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DecoderConfig:
        """The inverse of `to_dict`.

        Raises:
            InputError: an unknown name, none for `vocabulary`, or a value out of range.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise InputError(f"Unknown setting of a decoder: {name!r}. {nearest(name, known)}")
        if "vocabulary" not in values:
            raise InputError("A decoder needs to know its vocabulary: the number of tokens of its tokenizer.")
        return cls(**values)


def preset(name: str, vocabulary: int, **changes: Any) -> DecoderConfig:
    """One of the three sizes.

    Args:
        name: small, medium or large.
        vocabulary: tokens of the tokenizer.
        changes: of other settings.

    Raises:
        InputError: no such size, or a setting that does not exist or fit.
    """
    return DecoderConfig.from_dict({**PRESETS[pick("size", name, PRESETS)], "vocabulary": vocabulary, **changes})
