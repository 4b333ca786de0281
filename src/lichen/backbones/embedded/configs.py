"""Settings of the embedded models, known without their packages: enough to plan a training before any is installed."""

from __future__ import annotations

from collections.abc import Callable

from transformers import BertConfig, LlamaConfig, PreTrainedConfig, VisionTextDualEncoderConfig

from .architectures import register_architectures
from .dinov2 import dinov2_config
from .efficientnet_convert import efficientnet_lite0_config
from .registry import EMBEDDED, find_entry, locate_weights


def minilm_config() -> BertConfig:
    """Settings of all-MiniLM-L6-v2."""
    return BertConfig(
        architectures=["BertModel"],
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        dtype="float32",
    )


def smollm2_config() -> LlamaConfig:
    """Settings of SmolLM2-135M-Instruct."""
    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_theta": 100000.0, "rope_type": "default"},
        tie_word_embeddings=True,
        pad_token_id=2,
        dtype="float32",
    )


def playground_clip_config() -> VisionTextDualEncoderConfig:
    """Settings of the library's own CLIP, which is always there."""
    register_architectures()
    folder = locate_weights(EMBEDDED["playground-clip"]).parent
    config: VisionTextDualEncoderConfig = VisionTextDualEncoderConfig.from_pretrained(folder)
    return config


CONFIGS: dict[str, Callable[[], PreTrainedConfig]] = {
    "minilm": minilm_config,
    "dinov2-small": dinov2_config,
    "efficientnet-lite0": efficientnet_lite0_config,
    "smollm2": smollm2_config,
    "playground-clip": playground_clip_config,
}


def embedded_config(name: str) -> PreTrainedConfig:
    """Settings of the network behind `"embedded:<name>"`; no package is looked for.

    Raises:
        InputError: there is no such embedded model.
    """
    return CONFIGS[find_entry(name).name]()
