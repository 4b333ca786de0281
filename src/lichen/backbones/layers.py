"""Which hidden states to read: timm's rules for layer indices."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError


def choose_layers(layers: int | Sequence[int] | None, count: int) -> tuple[int, ...]:
    """Absolute, ascending indices of the chosen hidden states.

    Args:
        layers: None takes all, an int n the last n, a sequence names them by absolute or negative index.
        count: how many hidden states there are; state 0 is the embedding output.

    Raises:
        InputError: an index lies outside the model, is named twice, or none is chosen.
    """
    if layers is None:
        return tuple(range(count))
    if isinstance(layers, bool) or not isinstance(layers, int | Sequence) or isinstance(layers, str):
        raise InputError(f"layers must be None, a whole number or a sequence of whole numbers; got {layers!r}.")
    if isinstance(layers, int):
        if not 1 <= layers <= count:
            raise InputError(f"layers={layers} asks for the last {layers} hidden states, but the model has {count}.")
        return tuple(range(count - layers, count))
    chosen = []
    for index in layers:
        if isinstance(index, bool) or not isinstance(index, int) or not -count <= index < count:
            raise InputError(
                f"Hidden state {index!r} does not exist. The model has {count}: 0 (embeddings) to {count - 1}, "
                f"or -{count} to -1 counted from the end."
            )
        chosen.append(index % count)
    if not chosen or len(set(chosen)) != len(chosen):
        raise InputError(f"layers must name at least one hidden state, each once; got {list(layers)!r}.")
    return tuple(sorted(chosen))
