"""`Backbone`: any frozen transformers model, read for its hidden states."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from ..errors import InputError, pick
from .checks import check_batch
from .describe import describe
from .embedded import EMBEDDED, load_embedded, load_processor
from .features import Features
from .fingerprint import Fingerprint, fingerprint_of
from .layers import choose_layers
from .outline import Outline
from .parts import frozen_modules, parts_of, projection_of
from .tap import Tap, own_pass

PREFIX = "embedded:"


class Backbone:
    """A frozen model, always in eval mode and without gradients, that answers with `Features`.

    Precision, batch size and device are the caller's: move it with `to`, and pass inputs of any batch size.
    """

    def __init__(self, model: Any, *, part: str | None = None, processor: Any = None) -> None:
        """
        Args:
            model: a transformers model; it is frozen in place.
            part: which trunk to read where there are several: "vision" or "text", "encoder" or "decoder". None takes
                the only one; CLIP-like models pick the tower by the inputs, encoder-decoders read the encoder, or the
                decoder when `decoder_input_ids` are given.
            processor: tokenizer or image processor that belongs to the model; enters the fingerprint.

        Raises:
            InputError: the model leaves no hidden states, or has no such part. It stays as it was then.
        """
        if not isinstance(model, torch.nn.Module):
            raise InputError(f"Backbone takes a loaded transformers model; got {type(model).__name__}.")
        self.model: Any = model
        self.processor = processor
        self.paths = parts_of(model)
        self.part = None if part is None else pick("part", part, self.paths)
        self.trunks = {
            name: describe(model.get_submodule(path) if path else model) for name, path in self.paths.items()
        }
        model.eval().requires_grad_(False)

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        *,
        part: str | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
        revision: str | None = None,
    ) -> Backbone:
        """Load a backbone by "embedded:<name>", local folder, or hub id.

        Raises:
            InputError: nothing is found under this name, or the file is not a transformers model.
            MissingPackageError: the package that holds an embedded model is not installed.
        """
        name = os.fspath(name)
        if name.startswith(PREFIX):
            key = pick("embedded model", name.removeprefix(PREFIX), EMBEDDED)
            model: Any = load_embedded(key)
            processor = load_processor(key)
            model.config._name_or_path = name
            model = getattr(model, "model", model) if hasattr(model, "lm_head") else model
        else:
            model, processor = _load(name, revision, dtype or torch.float32)
        return cls(model.to(dtype=dtype, device=device), part=part, processor=processor)

    def to(self, target: torch.device | torch.dtype | str) -> Backbone:
        """Move the model to a device or a precision, in place."""
        self.model.to(target)
        self.__dict__.pop("fingerprint", None)
        return self

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Identity of the frozen weights and the preprocessing. Reads all weights once."""
        return fingerprint_of(frozen_modules(self.model, self.trunks), self.processor, self.model.config)

    def widths(self, layers: int | Sequence[int] | None = None, part: str | None = None) -> tuple[int, ...]:
        """Widths of the chosen hidden states of a part, shallow to deep.

        Raises:
            InputError: no such part or layer.
        """
        trunk = self.trunks[pick("part", part or self.part or next(iter(self.trunks)), self.trunks)]
        return tuple(trunk.widths[index] for index in choose_layers(layers, len(trunk.widths)))

    def outline(self, part: str | None = None) -> Outline:
        """Sizes and kind of a part: all that a side network and a head need to know of it.

        Raises:
            InputError: no such part.
        """
        name = pick("part", part or self.part or next(iter(self.trunks)), self.trunks)
        path = projection_of(self.model, name)
        embed = None if path is None else self.model.get_submodule(path).out_features
        return Outline.of(self.trunks[name], embed)

    def __call__(self, *, layers: int | Sequence[int] | None = None, **inputs: Any) -> Features:
        """One frozen pass over a batch.

        Args:
            layers: hidden states to keep, by timm's rules (None all, n the last n, or indices). Others are freed as the
                pass goes on.
            inputs: what the model's processor returns: `input_ids` and `attention_mask`, or `pixel_values`.

        Raises:
            InputError: no such layer, or the inputs fit no part of the model or hold what no model can read (NaN,
                an id outside the vocabulary, a row of padding only).
        """
        part = self._choose_part(inputs)
        trunk = self.trunks[part]
        indices = choose_layers(layers, len(trunk.widths))
        check_batch(self.model.config, inputs)
        states: dict[int, Tensor] = {}
        calls: list[tuple[dict[str, Any], Any]] = []

        def note(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            calls.append((trunk.bind(args, kwargs), output))

        # A decoder can only run behind its encoder, so the whole model runs; otherwise the trunk alone does.
        runner = self.model if part == "decoder" else trunk.module
        self._check_inputs(part, runner, inputs)
        if "use_cache" in inspect.signature(runner.forward).parameters:
            # Keys and values would keep every layer alive, the chosen and the others.
            inputs.setdefault("use_cache", False)
        if self.model.training:
            self.model.eval()
        handle = trunk.module.register_forward_hook(own_pass(note), with_kwargs=True)
        try:
            with torch.no_grad(), Tap(trunk, indices, states.__setitem__):
                runner(**inputs, return_dict=True)
        finally:
            handle.remove()
        rest = trunk.rest(*calls[0])
        pooled = self._project(part, rest.pooled)
        return Features(
            states=tuple(states[position] for position in range(len(indices))),
            final=rest.final,
            mask=rest.mask,
            grid=rest.grid,
            pooled=pooled,
            anchor=rest.anchor,
            indices=indices,
        )

    @torch.no_grad()
    def summarise(self, features: Features) -> Tensor:
        """The backbone's own summary of features that it gave: their `pooled` once more, from `final` and `anchor`.

        Args:
            features: all tokens of this backbone's part, padding included, as one pass left them.

        Raises:
            InputError: the part leaves no summary vector.
        """
        part = self.part or self._part_of(features)
        pooled = self.trunks[part].repool(self.trunks[part].to_native(features.final), features.anchor)
        if pooled is None:
            raise InputError(f"The {part} of {type(self.model).__name__} has no summary vector.")
        projected = self._project(part, pooled.flatten(1))
        assert projected is not None
        return projected

    def _part_of(self, features: Features) -> str:
        """Which tower features come from, where the inputs chose it."""
        if "vision" in self.paths:
            return "text" if features.grid is None else "vision"
        return next(iter(self.paths))

    def _choose_part(self, inputs: dict[str, Any]) -> str:
        if self.part is not None:
            return self.part
        if len(self.paths) == 1:
            return next(iter(self.paths))
        if "encoder" in self.paths:
            return "decoder" if "decoder_input_ids" in inputs else "encoder"
        given = [part for part, name in (("vision", "pixel_values"), ("text", "input_ids")) if name in inputs]
        if len(given) != 1:
            raise InputError(
                "This model has a vision and a text tower. Give pixel_values or input_ids, one at a time, "
                f"or choose with Backbone(model, part='vision'); got {', '.join(sorted(inputs)) or 'nothing'}."
            )
        return given[0]

    def _check_inputs(self, part: str, runner: Any, inputs: dict[str, Any]) -> None:
        """Refuse inputs that the part does not take, or without which it cannot run."""
        known = inspect.signature(runner.forward).parameters
        main = getattr(self.trunks[part].module, "main_input_name", "input_ids")
        needed = (main, "decoder_input_ids") if part == "decoder" else (main,)
        missing = [name for name in needed if name not in inputs and _embeds(name) not in inputs]
        extra = sorted(name for name in inputs if name not in known)
        if missing or extra:
            raise InputError(
                f"The {part} of {type(self.model).__name__} reads {' and '.join(needed)}; "
                f"got {', '.join(sorted(inputs)) or 'nothing'}." + (f" Leave out {', '.join(extra)}." if extra else "")
            )

    @torch.no_grad()
    def _project(self, part: str, pooled: Tensor | None) -> Tensor | None:
        path = projection_of(self.model, part)
        return pooled if path is None or pooled is None else self.model.get_submodule(path)(pooled)


def _embeds(name: str) -> str:
    return name.replace("input_ids", "inputs_embeds")


def _load(name: str, revision: str | None, dtype: torch.dtype) -> tuple[Any, Any]:
    from transformers import AutoImageProcessor, AutoModel, AutoProcessor, AutoTokenizer

    from .embedded import register_architectures

    register_architectures()
    try:
        # Pickled weights are refused whatever the hub offers: only safetensors are read.
        model, report = AutoModel.from_pretrained(
            name, revision=revision, use_safetensors=True, dtype=dtype, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        where = "folder" if Path(name).exists() else "hub id or folder"
        reason = str(error).splitlines()[0]
        raise InputError(
            f"No usable transformers model in {where} {name!r}: {reason} "
            f"Give a hub id, a folder with config.json and model.safetensors, or one of "
            f"{', '.join(PREFIX + key for key in EMBEDDED)}."
        ) from error
    _drop_random_pooler(model, report["missing_keys"], name)
    processor = None
    for loader in (AutoProcessor, AutoTokenizer, AutoImageProcessor):
        try:
            processor = loader.from_pretrained(name, revision=revision)
            break
        except (OSError, ValueError, KeyError, ImportError):
            continue
    return model, processor


def _drop_random_pooler(model: Any, missing: Iterable[str], name: str) -> None:
    """Weights that the file lacks were made up at random. A pooler can be done without; anything else is refused."""
    absent = sorted(missing)
    if not absent:
        return
    if any(not key.startswith("pooler.") for key in absent):
        raise InputError(
            f"{name!r} lacks {len(absent)} weights of a {type(model).__name__}, such as {absent[0]!r}; they would be "
            "random. Give a complete model of this architecture."
        )
    model.pooler = None
