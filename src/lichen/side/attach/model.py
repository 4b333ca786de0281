"""The class that an attached model has: its own class with a side network, trained and saved by itself.

The instance stays the one that the user loaded, so the Trainer, `generate()`, pipelines and isinstance checks see the
model they know; only its class becomes a subclass of the same name.
"""

from __future__ import annotations

import functools
import inspect
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from ...backbones.checks import check_batch
from ...backbones.features import Features
from ...errors import GradientLeakError, InputError
from ...memory import MIB, KeptBytes, MemoryReport, memory_report
from .anatomy import Anatomy
from .bank import Call, SideBank, Slot
from .graft import SideEncoderOutput, subclass


def _features_by_part(self: Any, features: Any) -> Mapping[str, Features]:
    parts = tuple(self.lichen_anatomy.paths)
    if features is None:
        return {}
    if isinstance(features, Features):
        if len(parts) > 1:
            raise InputError(f"This model has the parts {', '.join(parts)}: give features as a dict by part.")
        return {parts[0]: features}
    if not isinstance(features, Mapping) or set(features) != set(parts):
        raise InputError(f"features must be lichen.Features, or a dict with the parts {', '.join(parts)}.")
    return features


def _labels_of(self: Any) -> Literal["tokens", "classes"] | None:
    """What labels are to this model; None where `config.num_labels` does not count them (multiple choice, regions)."""
    if self.get_output_embeddings() is not None:
        return "tokens"
    return "classes" if type(self).__name__.endswith("Classification") else None


def _check_stored_call(self: Any, batch: Mapping[str, Any]) -> None:
    """Refuse calls that stored features cannot answer."""
    if batch.get("past_key_values") is not None:
        raise InputError("Text cannot be generated from stored features: every new token needs the backbone to run.")
    reads_ids = any(trunk.causal for trunk in self.lichen_anatomy.trunks.values())
    if reads_ids and type(self).__name__.endswith("ForSequenceClassification") and batch.get("input_ids") is None:
        raise InputError(f"{type(self).__name__} finds the last token in input_ids: give them along with features.")


def _forward(kind: type) -> Any:
    """The model's own forward, with checks before it and the state of the call around it."""
    signature = inspect.signature(kind.forward)  # type: ignore[attr-defined]
    names = list(signature.parameters)[1:]

    @functools.wraps(kind.forward)  # type: ignore[attr-defined]
    def forward(self: Any, *args: Any, features: Any = None, **kwargs: Any) -> Any:
        bank: SideBank = self.lichen
        batch = {**dict(zip(names, args, strict=False)), **kwargs}
        check_batch(self.config, batch, _labels_of(self))
        if features is not None:
            _check_stored_call(self, batch)
        slot = bank.current if torch.is_grad_enabled() else None
        call = Call(_features_by_part(self, features), memory=_memory_in(batch), checked=slot is not None)
        if slot is not None:
            _refuse_thawed(self, slot)
            if self.training and "use_cache" in names and batch.get("use_cache") is None:
                # Keys and values of every frozen layer would live until the backward pass.
                kwargs["use_cache"] = False
        run = functools.partial(kind.forward, self, *args, **kwargs)  # type: ignore[attr-defined]
        with bank.calling(call):
            if slot is not None and slot.kept is None and self.training and not KeptBytes.counting:
                return _measured(slot, self, run, batch)
            return run()

    extra = inspect.Parameter("features", inspect.Parameter.KEYWORD_ONLY, default=None)
    parameters = [*signature.parameters.values(), extra]
    # The Trainer keeps only the columns that this signature names; **kwargs has to stay last.
    parameters.sort(key=lambda parameter: parameter.kind)
    forward.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return forward


def _refuse_thawed(model: nn.Module, slot: Slot) -> None:
    """Refuse a pass that would train anything beside the active side network: nothing else is ever saved."""
    own = set(slot.parameters())
    thawed = [name for name, parameter in model.named_parameters() if parameter.requires_grad and parameter not in own]
    if thawed:
        raise GradientLeakError(
            f"{len(thawed)} frozen parameter(s) require a gradient again: {', '.join(thawed[:3])}. "
            "A side network never trains its backbone: undo requires_grad_(True), or detach() first."
        )


def _memory_in(batch: Mapping[str, Any]) -> Features | None:
    """The side memory that an attached encoder left in `encoder_outputs`, for the decoder of a later call."""
    outputs = batch.get("encoder_outputs")
    if not isinstance(outputs, SideEncoderOutput) or outputs.side_memory is None:
        return None
    mask = batch.get("attention_mask")
    return Features((), outputs.side_memory, None if mask is None else mask.bool())


def _measured(slot: Slot, model: nn.Module, run: Any, batch: Mapping[str, Any]) -> Any:
    """The first training pass, with the bytes it keeps noted for the model card."""
    kept = KeptBytes([*model.parameters(), *model.buffers()])
    with kept:
        output = run()
    shapes = {name: list(value.shape) for name, value in batch.items() if isinstance(value, torch.Tensor)}
    slot.kept = {"bytes": kept.bytes, "batch": shapes}
    return output


def _train(kind: type) -> Any:
    def train(self: Any, mode: bool = True) -> Any:
        """Training mode for side network and head only; the backbone stays in eval mode."""
        kind.train(self, mode)  # type: ignore[attr-defined]
        for path in self.lichen_anatomy.projections.values():
            self.get_submodule(path).eval()
        return self

    return train


def set_side(self: Any, name: str | None) -> Any:
    """Choose the side network that answers, by name; None gives the answers of the model before attach()."""
    bank: SideBank = self.lichen
    heads = bank.originals if name is None else {**dict(bank.originals), **dict(bank.slot(name).heads)}
    bank.active = name
    for key, head in dict(heads).items():
        setattr(self, key, head)
    for slot_name, slot in bank.slots.items():
        # An optimiser made from this model must see the chosen network only.
        slot.requires_grad_(slot_name == name)
    return self


def active_side(self: Any) -> str | None:
    """Name of the side network that answers now."""
    return self.lichen.active


def side_names(self: Any) -> list[str]:
    """Names of all side networks on this model."""
    return list(self.lichen.slots)


@torch.no_grad()
def read_features(self: Any, **inputs: Any) -> Features | dict[str, Features]:
    """The costly call: run the frozen model once and return what its side network reads.

    Give the result back as `model(features=…, labels=…)`, as often as needed: the backbone does not run again.
    Models of two towers answer with a dict by part.
    """
    if self.lichen.active is None:
        raise InputError("No side network is active, so there is nothing to read features for. Call set_side(name).")
    if "decoder" in self.lichen_anatomy.paths:
        raise InputError("Encoder-decoders cannot be trained from stored features: every target changes them.")
    check_batch(self.config, inputs, _labels_of(self))
    call = Call(recording={})
    with self.lichen.calling(call):
        type(self).lichen_original.forward(self, **inputs)
    assert call.recording is not None
    return next(iter(call.recording.values())) if len(call.recording) == 1 else call.recording


def print_trainable_parameters(self: Any, batch: Mapping[str, Any] | None = None) -> MemoryReport | None:
    """Print how many parameters are trained and, for a batch, the bytes kept for the backward pass."""
    if batch is not None:
        report = memory_report(self, batch)
        print(report)
        return report
    trained = sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)
    total = sum(parameter.numel() for parameter in self.parameters())
    kept = self.lichen.kept
    line = f"trained {trained:,} of {total:,} parameters ({100 * trained / total:.3g} %)"
    print(line if kept is None else f"{line} | kept for backward {kept['bytes'] / MIB:,.2f} MiB (first batch)")
    return None


def save_pretrained(self: Any, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
    """Save the active side network and its head: safetensors, settings, model card and digests. No backbone weights.

    Args:
        save_directory: folder; made if needed. Other files in it stay.
        kwargs: `state_dict` and `is_main_process` as the Trainer passes them; `push_to_hub` and `repo_id` to publish.

    Raises:
        InputError: no side network is active, the state dict lacks some of its weights, or the folder cannot be
            written.
    """
    from .checkpoint import save

    save(self, save_directory, **kwargs)


def push_to_hub(self: Any, repo_id: str, **settings: Any) -> str:
    """Save the active side network and its head and publish them, without any backbone weights.

    Args:
        repo_id: of the hub repository; made if needed.
        settings: `private`, `token`, `revision`, `commit_message` and such, as in transformers.
    """
    from .checkpoint import publish, save

    # Sharding and tags are transformers' affair; a side network is one small file with a card of its own.
    settings = {key: value for key, value in settings.items() if key not in ("max_shard_size", "tags")}
    with tempfile.TemporaryDirectory() as folder:
        save(self, folder)
        return publish(Path(folder), repo_id, **settings)


def attached_class(kind: type) -> type:
    """The class of an attached model: a subclass of `kind` with the same name."""
    return subclass(
        kind,
        forward=_forward(kind),
        train=_train(kind),
        set_side=set_side,
        active_side=property(active_side),
        side_names=property(side_names),
        read_features=read_features,
        print_trainable_parameters=print_trainable_parameters,
        save_pretrained=save_pretrained,
        push_to_hub=push_to_hub,
    )


def make_bank(model: Any, anatomy: Anatomy) -> SideBank:
    """Register an empty bank on a model, with the heads it had."""
    bank = SideBank({name: getattr(model, name) for name in anatomy.heads})
    model.lichen = bank
    return bank
