"""Weight decay of decoders, in the units of the papers.

big_vision decays kernels only, by `schedule * decay` a step; torch's AdamW by `rate * schedule * decay`. A published
decay is therefore divided by the peak learning rate: 1e-4 beside a rate of 3e-4 becomes 0.333.

Source: decoders.md 1.6 and pitfall 10.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from ...errors import InputError


def torch_decay(decay: float, rate: float) -> float:
    """A weight decay of big_vision as torch's AdamW takes it.

    Args:
        decay: as published.
        rate: the peak learning rate.

    Raises:
        InputError: a negative decay, or a rate that is not above 0.
    """
    if decay < 0 or not rate > 0:
        raise InputError(f"A weight decay is at least 0 and a learning rate above 0; got {decay} and {rate}.")
    return decay / rate


def kernels(module: nn.Module) -> list[str]:
    """Names of the parameters that decay: matrices of linear layers. Not embeddings, positions, norms or biases."""
    own = {id(part.weight) for part in module.modules() if isinstance(part, nn.Linear | nn.modules.conv._ConvNd)}
    return [name for name, parameter in module.named_parameters() if id(parameter) in own]


def parameter_groups(module: nn.Module, rate: float, decay: float) -> list[dict[str, Any]]:
    """Groups for torch's AdamW.

    Args:
        module: whose trainable parameters are sorted.
        rate: the peak learning rate.
        decay: as published; see above.

    Raises:
        InputError: see `torch_decay`.
    """
    decayed = set(kernels(module))
    trained = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    return [
        {"params": [each for name, each in trained if name in decayed], "weight_decay": torch_decay(decay, rate)},
        {"params": [each for name, each in trained if name not in decayed], "weight_decay": 0.0},
    ]
