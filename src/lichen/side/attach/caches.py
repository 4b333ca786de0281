"""Keeps a side network's earlier tokens inside the model's own key-value cache.

The side network's tensors lie in extra layers behind the model's, so everything that generation does to a cache (beam
reordering, repetition, selection, cropping) happens to them too.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer, EncoderDecoderCache

from ...errors import InputError


class CacheSlots:
    """A `SideCache` over a transformers cache: slot s is layer `offset + s`."""

    def __init__(self, cache: Cache, offset: int) -> None:
        self.cache = cache
        self.offset = offset

    def extend(self, slot: int, new: Float[Tensor, "batch new width"]) -> Float[Tensor, "batch all width"]:
        """Append the new tokens of one slot and return all of them.

        Raises:
            InputError: the model's own layers hold other tokens, so the cache was filled without this side network.
        """
        index = self.offset + slot
        while len(self.cache.layers) <= index:
            self.cache.layers.append(DynamicLayer())
        layer: Any = self.cache.layers[index]
        keys, _ = layer.update(new[:, None], new.new_empty(len(new), 1, new.shape[1], 0))
        if keys.shape[2] != (length := self.cache.get_seq_length()):
            raise InputError(
                f"The key-value cache holds {length} tokens, but the side network has seen {keys.shape[2]} of them: it "
                "was filled beside another side network, or before attach(). Start with a fresh cache."
            )
        return keys[:, 0]


def side_cache(cache: Any, offset: int) -> CacheSlots | None:
    """Slots for a side network in whatever cache a decoder returned; None where it keeps none.

    Raises:
        InputError: a cache of fixed layout, which has no room for more layers.
    """
    if cache is None:
        return None
    inner = cache.self_attention_cache if isinstance(cache, EncoderDecoderCache) else cache
    if not isinstance(inner, Cache) or inner.is_compileable:
        raise InputError(
            f"A side network needs a growing key-value cache, but got {type(inner).__name__}. "
            'Call generate() without cache_implementation="static".'
        )
    return CacheSlots(inner, offset)
