"""Tiny random models of every family that attach() serves, with a batch for each. Shared by the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as hf

TEXT = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
PICTURE = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
DEBERTA = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
}
SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def efficientnet_lite() -> Any:
    """Three stages of the class behind embedded:efficientnet-lite0."""
    from lichen.backbones.embedded import register_architectures
    from lichen.backbones.embedded.efficientnet_lite import EfficientNetLiteConfig

    register_architectures()
    return EfficientNetLiteConfig(
        image_size=32,
        stem_size=8,
        hidden_sizes=[8, 16, 24],
        depths=[1, 1, 2],
        kernel_sizes=[3, 3, 3],
        strides=[1, 2, 2],
        expand_ratios=[1, 2, 2],
        hidden_dim=32,
    )


CONFIGS: dict[str, Callable[[], Any]] = {
    "bert": lambda: hf.BertConfig(**TEXT),
    "roberta": lambda: hf.RobertaConfig(**TEXT),
    "deberta-v2": lambda: hf.DebertaV2Config(**TEXT, **DEBERTA),
    "vit": lambda: hf.ViTConfig(image_size=32, patch_size=8, **PICTURE),
    "dinov2": lambda: hf.Dinov2Config(image_size=28, patch_size=14, **PICTURE),
    "dinov3": lambda: hf.DINOv3ViTConfig(image_size=32, patch_size=8, **PICTURE),
    "swin": lambda: hf.SwinConfig(
        image_size=32, patch_size=2, embed_dim=8, depths=[1, 1, 2], num_heads=[2, 2, 2], window_size=4
    ),
    "resnet": lambda: hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 24], depths=[1, 1, 2]),
    "convnext": lambda: hf.ConvNextConfig(num_stages=3, hidden_sizes=[8, 16, 24], depths=[1, 1, 2]),
    "efficientnet-lite": efficientnet_lite,
    "llama": lambda: hf.LlamaConfig(**TEXT, **SPECIAL, num_key_value_heads=1),
    "gpt2": lambda: hf.GPT2Config(vocab_size=50, n_embd=16, n_layer=3, n_head=2, n_positions=64, **SPECIAL),
    "t5": lambda: hf.T5Config(
        vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=3, num_heads=2, decoder_start_token_id=0
    ),
    "bart": lambda: hf.BartConfig(
        vocab_size=50,
        d_model=16,
        encoder_layers=3,
        decoder_layers=3,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        decoder_start_token_id=2,
        forced_eos_token_id=None,
        **SPECIAL,
    ),
    "clip": lambda: hf.CLIPConfig(
        text_config={**TEXT, **SPECIAL, "eos_token_id": 49, "max_position_embeddings": 20},
        vision_config={"image_size": 32, "patch_size": 8, **PICTURE},
        projection_dim=12,
    ),
    "siglip": lambda: hf.SiglipConfig(
        text_config={**TEXT, **SPECIAL, "projection_size": 16, "max_position_embeddings": 7},
        vision_config={"image_size": 32, "patch_size": 8, **PICTURE},
    ),
}
AUTO = {
    "sequence": hf.AutoModelForSequenceClassification,
    "token": hf.AutoModelForTokenClassification,
    "question": hf.AutoModelForQuestionAnswering,
    "image": hf.AutoModelForImageClassification,
    "seq2seq": hf.AutoModelForSeq2SeqLM,
    "causal": hf.AutoModelForCausalLM,
    "towers": hf.AutoModel,
}
TASKS: dict[str, tuple[str, ...]] = {
    "sequence": ("bert", "roberta", "deberta-v2", "llama", "gpt2"),
    "token": ("bert", "roberta", "deberta-v2", "llama"),
    "question": ("bert", "roberta", "deberta-v2"),
    "image": ("vit", "dinov2", "swin", "resnet", "convnext", "efficientnet-lite", "siglip", "clip"),
    "seq2seq": ("t5", "bart"),
    "causal": ("llama", "gpt2"),
    "towers": ("clip", "siglip"),
}
PAIRS = [(task, family) for task, families in TASKS.items() for family in families]
CLASSES = 3


def make_model(task: str, family: str, seed: int = 0, **settings: Any) -> Any:
    """A tiny random model of a family for a task, in eval mode."""
    torch.manual_seed(seed)
    config = CONFIGS[family]()
    for key, value in settings.items():
        setattr(config, key, value)
    if task in ("sequence", "token", "image"):
        config.num_labels = CLASSES
    if task == "sequence" and family == "gpt2":
        config.pad_token_id = 0
    return AUTO[task].from_config(config).eval()


def make_trunk(family: str, seed: int = 0) -> Any:
    """A tiny random model of a family without a task head, in eval mode."""
    torch.manual_seed(seed)
    return hf.AutoModel.from_config(CONFIGS[family]()).eval()


def shake(model: Any, seed: int = 5) -> Any:
    """Move the trained parameters off their starting values: many networks start at zero, where nothing shows."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=random)
                parameter.add_(0.3 * noise.to(parameter.dtype))
    return model


def make_inputs(model: Any, rows: int = 3, length: int = 7, seed: int = 1) -> dict[str, torch.Tensor]:
    """A batch without labels: ids with right padding, or a picture, or both for two towers."""
    torch.manual_seed(seed)
    inputs: dict[str, torch.Tensor] = {}
    config = model.config
    vision = getattr(config, "vision_config", config)
    sees = getattr(model, "main_input_name", "") == "pixel_values" and not hasattr(config, "vision_config")
    classifies_pictures = sees or "ImageClassification" in type(model).__name__
    if hasattr(config, "vision_config") or classifies_pictures:
        size = getattr(vision, "image_size", 64)
        if getattr(vision, "model_type", "") in ("resnet", "convnext"):
            size = 64
        inputs["pixel_values"] = torch.randn(rows, 3, size, size)
    if not classifies_pictures:
        ids = torch.randint(3, 48, (rows, length))
        mask = torch.ones(rows, length, dtype=torch.long)
        ids[:, -1] = 49
        mask[1, length - 2 :] = 0
        if hasattr(config, "text_config"):
            ids[1, length - 3] = 49
        ids[mask == 0] = 0
        inputs |= {"input_ids": ids, "attention_mask": mask}
    return inputs


def make_batch(task: str, model: Any, **settings: Any) -> dict[str, Any]:
    """A batch with whatever makes the model return a loss."""
    batch: dict[str, Any] = dict(make_inputs(model, **settings))
    rows = len(next(iter(batch.values())))
    torch.manual_seed(2)
    if task in ("sequence", "image"):
        batch["labels"] = torch.randint(0, CLASSES, (rows,))
    elif task == "token":
        batch["labels"] = torch.randint(0, CLASSES, batch["input_ids"].shape)
    elif task == "question":
        batch |= {"start_positions": torch.tensor([0, 1, 2][:rows]), "end_positions": torch.tensor([2, 2, 4][:rows])}
    elif task == "causal":
        batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    elif task == "seq2seq":
        batch["labels"] = torch.randint(3, 48, (rows, 4))
    elif task == "towers":
        if type(model).__name__ == "SiglipModel":
            batch.pop("attention_mask")
        batch["return_loss"] = True
    return batch
