"""Tells backbones apart: a digest of the weights, with what the weights do not say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .embedded import embedded_id


@dataclass(frozen=True)
class Fingerprint:
    """Identity of a backbone. Two backbones are the same when `differences` finds none."""

    architecture: str
    """Class names of the frozen parts, with the width of each trunk."""
    dtype: str
    """Precision of the weights; the digest depends on it."""
    weights: str
    """SHA-256 over names, shapes and bytes of all frozen weights and buffers."""
    settings: str | None = None
    """SHA-256 of the config's values that shape the answer (activation, heads, norm eps, rotary base …)."""
    preprocessing: str | None = None
    """SHA-256 of the processor's settings; None where no processor is known."""
    model_id: str = ""
    """Hub id or folder it was loaded from. Informative: the same weights may lie in two places."""
    revision: str = ""
    """Commit of the hub repository, where known. Informative."""

    def differences(self, other: Fingerprint) -> list[str]:
        """Sentences that name each field in which two backbones differ, most telling first."""
        found = []
        for name in ("architecture", "dtype", "settings", "weights", "preprocessing"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is not None and theirs is not None and mine != theirs:
                found.append(f"{name}: expected {_short(mine)}, got {_short(theirs)}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Field names and values."""
        return asdict(self)


def _short(value: str) -> str:
    return f"{value[:12]}…" if len(value) == 64 else value


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, in order of name. Independent of device and memory layout."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def digests_of(module: nn.Module) -> dict[str, str]:
    """SHA-256 of each tensor in a module's state dict, by name: for loading a part of it with the same certainty."""
    return {name: digest_of({name: tensor}) for name, tensor in module.state_dict().items()}


def digest_of_settings(settings: Any) -> str:
    """SHA-256 of anything that can be written as JSON, independent of key order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def settings_of(processor: Any) -> Any:
    """What a tokenizer, image processor or their combination does, without where it was loaded from.

    Padding and truncation are left out of a tokenizer's: they change with every call.
    """
    inner = {name: getattr(processor, name) for name in ("tokenizer", "image_processor") if hasattr(processor, name)}
    if inner:
        return {name: settings_of(value) for name, value in inner.items()}
    backend = getattr(processor, "backend_tokenizer", None)
    if backend is not None:
        settings = json.loads(backend.to_str())
        return {key: value for key, value in settings.items() if key not in ("padding", "truncation")}
    settings = processor.to_dict() if hasattr(processor, "to_dict") else getattr(processor, "init_kwargs", {})
    return {key: value for key, value in settings.items() if "path" not in key and key != "name_or_path"}


_LABELS = ("num_labels", "id2label", "label2id", "problem_type", "classifier", "pooler_type", "summary")
_BOOKKEEPING = ("_", "transformers_version", "architectures", "dtype", "torch_dtype", "use_cache", "return", "output_")
_TOKENS = ("pad_token_id", "bos_token_id", "decoder_start_token_id", "forced_", "task_specific", "is_composition")


def shaping_settings(config: Any) -> dict[str, Any]:
    """Values of a transformers config that change what the frozen model answers, where they differ from the defaults.

    Left out: labels and heads of the task, where it was saved and by which version, padding, and dropout, which is off.
    """
    if config is None:
        return {}
    ignored = (*_LABELS, *_BOOKKEEPING, *_TOKENS)
    return {
        key: value
        for key, value in config.to_diff_dict().items()
        if not key.startswith(ignored) and "drop" not in key and "config" not in key
    }


def fingerprint_of(modules: Mapping[str, nn.Module], processor: Any = None, config: Any = None) -> Fingerprint:
    """Fingerprint of frozen modules by part name, e.g. {"vision": …, "text": …}. Reads all weights once.

    Args:
        modules: what is frozen. Weights shared between parts are hashed with each.
        processor: tokenizer or image processor whose settings belong to the backbone's identity.
        config: settings of the whole model, which tell where it came from.
    """
    tensors: dict[str, Tensor] = {}
    shapes, settings = [], {}
    for part, module in modules.items():
        tensors.update({f"{part}.{name}": tensor for name, tensor in module.state_dict().items()})
        own = getattr(module, "config", None)
        width = next((getattr(own, key) for key in ("hidden_size", "d_model") if hasattr(own, key)), None)
        settings[part] = shaping_settings(own)
        label = "" if part == "backbone" else f"{part} "
        shapes.append(f"{label}{type(module).__name__}" + (f" of width {width}" if width else ""))
    first = next(iter(modules.values()))
    name = str(getattr(config, "_name_or_path", "") or "")
    return Fingerprint(
        architecture=", ".join(shapes),
        dtype=str(next(first.parameters()).dtype).removeprefix("torch."),
        weights=digest_of(tensors),
        settings=digest_of_settings(settings),
        preprocessing=None if processor is None else digest_of_settings(settings_of(processor)),
        model_id=embedded_id(name) or name,
        revision=str(getattr(config, "_commit_hash", "") or ""),
    )
