"""Fails at the first step if anything but the trained network is kept for the backward pass.

Features enter training as plain data. If one of them needs a gradient, or the loss depends on a trainable tensor that
is no parameter of the network, then the frozen backbone is being back-propagated through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor

from ...backbones.features import Features
from ...errors import GradientLeakError


def check_features(features: Mapping[str, Features]) -> None:
    """Refuse features that carry a gradient.

    Raises:
        GradientLeakError: one of their tensors needs a gradient.
    """
    for part, batch in features.items():
        named = [(f"state {index}", state) for index, state in enumerate(batch.states)]
        for name, tensor in [*named, ("final output", batch.final), ("pooled output", batch.pooled)]:
            if tensor is not None and tensor.requires_grad:
                raise GradientLeakError(
                    f"The {name} of the {part} features needs a gradient, so the backward pass would run through the "
                    "frozen backbone. Read features under torch.no_grad() with all backbone weights frozen."
                )


def check_graph(loss: Tensor, trained: Iterable[Tensor]) -> None:
    """Refuse a loss that depends on trainable tensors outside the trained network.

    Args:
        loss: before its backward pass.
        trained: the network's parameters.

    Raises:
        GradientLeakError: such a tensor was found.
    """
    known = {id(parameter) for parameter in trained}
    foreign = [leaf for leaf in _leaves(loss) if id(leaf) not in known]
    if foreign:
        shapes = ", ".join(str(tuple(leaf.shape)) for leaf in foreign[:3])
        raise GradientLeakError(
            f"The loss reaches {len(foreign)} trainable tensors outside the trained network (shapes {shapes}). "
            "They belong to the backbone or to its re-run late layers: freeze them with requires_grad_(False)."
        )


def _leaves(loss: Tensor) -> Iterator[Tensor]:
    """The tensors into which the backward pass of a loss accumulates gradients."""
    seen: set[Any] = set()
    waiting: list[Any] = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting.extend(parent for parent, _ in node.next_functions)
