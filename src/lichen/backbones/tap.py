"""Takes hidden states as the layers produce them, so that only the chosen ones live."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import InputError
from .trunk import Trunk


class Tap:
    """Context manager: while it is open, every chosen hidden state is handed to `consume` once.

    `consume(position, state)` gets the position among the chosen indices and the detached state, in the trunk's layout
    (see `Trunk.kind`). State 0 is the input of the first layer, state i the output of layer i.
    """

    def __init__(self, trunk: Trunk, indices: tuple[int, ...], consume: Callable[[int, Tensor], Any]) -> None:
        self.trunk = trunk
        self.indices = indices
        self.consume = consume
        self._handles: list[RemovableHandle] = []
        self._taken: set[int] = set()

    def __enter__(self) -> Tap:
        layers = self.trunk.layers
        for position, index in enumerate(self.indices):
            if index == 0:
                hook = self._before(position)
                self._handles.append(layers[0].register_forward_pre_hook(own_pass(hook), with_kwargs=True))
            else:
                self._handles.append(layers[index - 1].register_forward_hook(own_pass(self._after(position))))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if error is None and len(self._taken) != len(self.indices):
            missing = [index for position, index in enumerate(self.indices) if position not in self._taken]
            raise InputError(f"{type(self.trunk.module).__name__} did not produce the hidden states {missing}.")

    def _take(self, position: int, state: Tensor, grid: tuple[int, int] | None) -> None:
        if position in self._taken:
            raise InputError(
                f"{type(self.trunk.module).__name__} runs the same layer several times (shared layers), "
                "so its hidden states cannot be told apart by layer."
            )
        self._taken.add(position)
        # Detached: frameworks that make embeddings require a gradient must not reopen the backbone.
        self.consume(position, self.trunk.to_state(state.detach(), grid))

    def _before(self, position: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._take(position, first_tensor(args, kwargs), grid_of(args[1:]))

        return hook

    def _after(self, position: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            state = output if isinstance(output, Tensor) else output[0]
            self._take(position, state, None if isinstance(output, Tensor) else grid_of(output[1:]))

        return hook


def own_pass(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook for the passes of this thread only: others may run the same layers meanwhile, with hooks of their own."""
    owner = threading.get_ident()

    @functools.wraps(hook)
    def guarded(*call: Any) -> Any:
        return hook(*call) if threading.get_ident() == owner else None

    return guarded


def first_tensor(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The hidden states among a layer's arguments: the first positional one, or the first tensor by name."""
    if args:
        return args[0]
    return next(value for value in kwargs.values() if isinstance(value, Tensor))


def grid_of(values: tuple[Any, ...]) -> tuple[int, int] | None:
    """Swin's stages get the grid as a tuple of whole numbers, and give their output a second time as a map."""
    for value in values:
        if isinstance(value, Tensor) and value.ndim == 4:
            return value.shape[2], value.shape[3]
        if isinstance(value, tuple) and len(value) in (2, 4) and all(isinstance(item, int) for item in value):
            return value[-2], value[-1]
    return None
