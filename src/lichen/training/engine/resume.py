"""What a training must remember to go on bit for bit: weights, optimiser, schedule, random generators.

Works alike for a plain model, under DDP and under FSDP: state is gathered whole, by parameter name, on the CPU.
Nothing is pickled.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import Optimizer

from ...errors import CheckpointError
from .trees import read_tensors, write_tensors

WEIGHTS = "model.safetensors"
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
_LOAD = StateDictOptions(full_state_dict=True, strict=False)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of a model, whole and on the CPU. Under FSDP every process must call it.

    Returns:
        Empty in all processes but the first where several train together.
    """
    state = get_model_state_dict(model, options=_WHOLE)
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def save_weights(weights: Mapping[str, Tensor], folder: Path) -> None:
    """Write what `weights_of` returned."""
    write_tensors(folder / WEIGHTS, weights)


def load_weights(model: nn.Module, folder: Path) -> None:
    """Put the weights of a folder into a model.

    Raises:
        CheckpointError: the file is damaged, or is of a model with other parameters.
    """
    weights = read_tensors(folder / WEIGHTS)
    advice = "Resume with the settings that the checkpoint was trained with."
    # PyTorch passes over weights that are missing from a whole state.
    names = set(get_model_state_dict(model))
    for kind, odd in (("lacks", names - set(weights)), ("has the unknown", set(weights) - names)):
        if odd:
            words = f"{kind} weight {min(odd)!r} ({len(odd)} in all)"
            raise CheckpointError(f"{str(folder / WEIGHTS)!r} {words}. {advice}")
    try:
        set_model_state_dict(model, dict(weights), options=_LOAD)
    except RuntimeError as error:
        raise CheckpointError(f"{str(folder / WEIGHTS)!r} does not fit this model: {error} {advice}") from error


def optimiser_state(model: nn.Module, optimiser: Optimizer) -> dict[str, Any]:
    """State and settings of an optimiser by parameter name. Under FSDP every process must call it."""
    state = get_optimizer_state_dict(model, optimiser, options=_WHOLE)
    return dict(state)


def load_optimiser(model: nn.Module, optimiser: Optimizer, state: Mapping[str, Any]) -> None:
    """Give an optimiser the state that `optimiser_state` returned.

    Raises:
        CheckpointError: it is the state of another optimiser or of other parameters.
    """
    groups = state["param_groups"]
    counts = [len(group["params"]) for group in groups], [len(group["params"]) for group in optimiser.param_groups]
    if counts[0] != counts[1]:
        raise CheckpointError(
            f"The checkpoint's optimiser has groups of {counts[0]} parameters, this one of {counts[1]}. "
            "Resume with the settings that the checkpoint was trained with."
        )
    if state["state"]:
        set_optimizer_state_dict(model, optimiser, dict(state), options=_LOAD)
        # PyTorch fills the state of parameters that had none, which a straight run would start only at their first
        # gradient.
        without = {name for group in groups for name in group["params"]} - set(state["state"])
        for name, parameter in model.named_parameters():
            if name in without:
                optimiser.state.pop(parameter, None)
    else:
        # PyTorch refuses to load a state without tensors, such as that of SGD without momentum.
        optimiser.state.clear()
        for group, saved in zip(optimiser.param_groups, groups, strict=True):
            group.update({name: value for name, value in saved.items() if name != "params"})


def random_state() -> dict[str, Any]:
    """State of all random generators of this process that training may draw from."""
    version, words, spare = random.getstate()
    kind, keys, *rest = np.random.get_state()
    state: dict[str, Any] = {
        "python": (version, torch.tensor(words), spare),
        "numpy": (str(kind), torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest),
        "cpu": torch.get_rng_state(),
    }
    device = _accelerator()
    if device is not None:
        state[device] = torch.get_device_module(device).get_rng_state()
    return state


def set_random_state(state: Mapping[str, Any]) -> None:
    """Put all random generators back to what `random_state` returned."""
    version, words, spare = state["python"]
    random.setstate((version, tuple(words.tolist()), spare))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["cpu"])
    device = _accelerator()
    if device is not None and device in state:
        torch.get_device_module(device).set_rng_state(state[device])


def _accelerator() -> str | None:
    """Type of the accelerator that this process uses, such as cuda; None where there is none."""
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return None if device is None else device.type


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Whatever is drawn inside the block leaves no trace, so that evaluating does not change the training."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
