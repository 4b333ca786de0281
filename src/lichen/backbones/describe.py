"""Works out where the layers of a transformers model are and how wide their states are, without a table of families."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .tap import Tap
from .trunk import Trunk


def find_layers(module: nn.Module) -> str:
    """Dotted path of the list that holds the model's layers: the one with most parameters, outermost first.

    Raises:
        InputError: the model has no list of layers, so it leaves no hidden states.
    """
    best, most = "", 0
    for path, child in module.named_modules():
        if not isinstance(child, nn.ModuleList) or len(child) == 0:
            continue
        size = sum(parameter.numel() for parameter in child.parameters())
        if size > most:
            best, most = path, size
    if not best:
        raise InputError(
            f"{type(module).__name__} has no list of layers (nn.ModuleList) whose outputs could be read as hidden "
            "states. Lichen works with transformers encoders, decoders, encoder-decoders and staged CNNs."
        )
    return best


def describe(module: nn.Module) -> Trunk:
    """Work out where the layers of a transformers model are and how wide their states are.

    Raises:
        InputError: the model has no list of layers or no readable width.
    """
    path = find_layers(module)
    config = getattr(module, "config", None)
    layers = module.get_submodule(path)
    count = len(layers)  # type: ignore[arg-type]
    if getattr(config, "num_channels", None) and (hasattr(config, "hidden_sizes") or hasattr(config, "depths")):
        widths, pooled = _probe_widths(module, path)
        return Trunk(module, path, "maps", widths, causal=False, pooled=pooled)
    width = next(
        (getattr(config, name) for name in ("hidden_size", "d_model", "n_embd") if getattr(config, name, None)), None
    )
    if width is None:
        raise InputError(
            f"{type(module).__name__} does not say how wide its hidden states are (config.hidden_size or d_model)."
        )
    pooled = int(width)
    if getattr(config, "model_type", "") == "siglip_text_model":
        pooled = module.head.out_features  # type: ignore[union-attr, assignment]
    return Trunk(module, path, "tokens", (int(width),) * (count + 1), _is_causal(module, config), pooled)


def _is_causal(module: nn.Module, config: Any) -> bool:
    if getattr(config, "model_type", "") == "clip_text_model":
        # Causal inside, but read as a whole at its end token: the side network may look at all of it.
        return False
    return bool(getattr(config, "is_decoder", False)) or any(
        getattr(child, "is_causal", False) is True for child in module.modules()
    )


def _probe_widths(module: nn.Module, path: str) -> tuple[tuple[int, ...], int | None]:
    """Widths of a staged model's maps and pooled output, found by passing one small blank picture through it."""
    config: Any = module.config
    size = getattr(config, "image_size", 64)
    size = size if isinstance(size, int) else size[0]
    parameter = next(module.parameters())
    blank = torch.zeros(1, config.num_channels, size, size, dtype=parameter.dtype, device=parameter.device)
    trunk = Trunk(module, path, "maps", (), causal=False)
    states: dict[int, Tensor] = {}
    modes = {child: child.training for child in module.modules()}
    module.eval()
    try:
        with torch.no_grad(), Tap(trunk, tuple(range(len(trunk.layers) + 1)), states.__setitem__):
            output = module(blank, return_dict=True)
    finally:
        for child, mode in modes.items():
            child.training = mode
    pooled = getattr(output, "pooler_output", None)
    return tuple(states[index].shape[1] for index in sorted(states)), None if pooled is None else pooled.shape[1]
