"""Settings of a FeatureStore: which hidden states it keeps, of which tokens, and in which number format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from ..errors import InputError, nearest, pick

Codec = Literal["float32", "bfloat16", "float16", "int8", "int8-channel", "pca"]
Layers = int | tuple[int, ...] | None
CODECS: tuple[str, ...] = get_args(Codec)
EVERY = "every-"
"""Start of the token choice `every-<k>`."""


@dataclass(frozen=True)
class StoreConfig:
    """What of a backbone's features is stored, and how."""

    codec: Codec = "float32"
    """Number format. float32 gives back what the backbone gave, bit for bit; bfloat16 and float16 take half of it; int8
    a quarter, with one scale a token; int8-channel with one scale a channel in each shard; pca stores coefficients of
    the first `rank` principal components as int8."""
    tokens: str = "all"
    """Which tokens: all; pooled (one mean of the real ones); cls+pooled (the summary token, then the mean);
    every-<k>, such as every-4 (each k-th one, and what stands before a picture's patches)."""
    layers: Layers = None
    """Hidden states to store: None all, n the last n, a sequence absolute or negative indices."""
    shard: int = 256
    """Samples in one file. A killed build computes at most one of these again."""
    rank: int = 128
    """Principal components of each state (pca only)."""
    views: int = 1
    """Fixed views of each sample: item row * views + v of the data set is view v of sample `row`."""

    def __post_init__(self) -> None:
        if isinstance(self.layers, list):
            object.__setattr__(self, "layers", tuple(self.layers))
        pick("StoreConfig.codec", str(self.codec), CODECS)
        if not isinstance(self.tokens, str) or (self.tokens.startswith(EVERY) and self.stride is None):
            raise InputError(f"StoreConfig.tokens must be text such as 'all' or 'every-4'; got {self.tokens!r}.")
        if self.stride is None:
            pick("StoreConfig.tokens", self.tokens, ("all", "pooled", "cls+pooled", f"{EVERY}4"))
        for name in ("shard", "rank", "views"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"StoreConfig.{name} must be a whole number of at least 1; got {value!r}.")

    @property
    def stride(self) -> int | None:
        """The k of `every-<k>`; None for other choices of tokens."""
        digits = self.tokens.removeprefix(EVERY) if self.tokens.startswith(EVERY) else ""
        return int(digits) if digits.isascii() and digits.isdigit() and int(digits) > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """Field names and values, as JSON can hold them."""
        return {**asdict(self), "layers": list(self.layers) if isinstance(self.layers, tuple) else self.layers}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StoreConfig:
        """The inverse of `to_dict`; fields that are left out have their defaults.

        Raises:
            InputError: an unknown field, or a value that it cannot have.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise InputError(f"StoreConfig has no field {name!r}. {nearest(name, known)}")
        # JSON has no tuples.
        layers = values.get("layers")
        return cls(**{**values, "layers": tuple(layers) if isinstance(layers, list) else layers})
