"""`Texts`: what a video model knows of words: a prompt as a row of vectors, the name of a thing as one vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..backbones.backbone import Backbone
from ..errors import InputError
from ..features.reading import read

Prompts = Float[Tensor, "texts length width"]
Names = Float[Tensor, "texts width"]


class Texts(ABC):
    """A frozen text encoder."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Of its vectors."""

    @abstractmethod
    def prompts(self, texts: Sequence[str]) -> Prompts:
        """Prompts, all padded to one length."""

    @abstractmethod
    def names(self, texts: Sequence[str]) -> Names:
        """Each text as the vector at its end (SMCD takes the hidden state at the end-of-text token, B2)."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What tells it from another one, as JSON can hold it."""


class BackboneTexts(Texts):
    """The last hidden states of a text backbone, as the feature store keeps them; padding is zeros."""

    def __init__(self, name: str, length: int = 24) -> None:
        """
        Args:
            name: of a backbone, such as embedded:playground-clip.
            length: tokens to which every prompt is padded, and after which it is cut.
        """
        self.name, self.length = name, length

    @cached_property
    def backbone(self) -> Backbone:
        """Loaded when it is first needed."""
        return Backbone.from_pretrained(self.name, part=self._part)

    @property
    def _part(self) -> str | None:
        return "text" if "clip" in self.name else None

    @property
    def width(self) -> int:
        """Of its last state."""
        return self.backbone.outline("text" if self._part else None).widths[-1]

    def inputs(self, texts: Sequence[str]) -> list[dict[str, Tensor]]:
        """Token ids of texts, as a backbone reads them. An empty text is its start and end alone."""
        processor = self.backbone.processor
        tokenizer = getattr(processor, "tokenizer", processor)
        if tokenizer is None:
            raise InputError(f"The backbone {self.name!r} has no tokenizer, so it cannot read prompts.")
        found = tokenizer(list(texts), truncation=True, max_length=self.length)["input_ids"]
        return [{"input_ids": torch.tensor(ids)} for ids in found]

    def prompts(self, texts: Sequence[str]) -> Prompts:
        """Prompts, padded with zeros to `length`."""
        return padded(read(self.backbone, self.inputs(texts), 1).final, self.length)

    def names(self, texts: Sequence[str]) -> Names:
        """The state at the last token of each text."""
        inputs = self.inputs(texts)
        ends = torch.tensor([len(each["input_ids"]) - 1 for each in inputs])
        return read(self.backbone, inputs, 1).final[torch.arange(len(inputs)), ends]

    def settings(self) -> dict[str, Any]:
        """Name and length."""
        return {"kind": "backbone", "name": self.name, "length": self.length}


class PipelineTexts(Texts):
    """Tokenizer and text encoder of a diffusers pipeline; its padding is read like words, as it was trained."""

    def __init__(self, tokenizer: Any, encoder: Any) -> None:
        """
        Args:
            tokenizer: of transformers, with a `model_max_length`.
            encoder: a text model; frozen in place.
        """
        self.tokenizer = tokenizer
        self.encoder = encoder.eval().requires_grad_(False)

    @property
    def width(self) -> int:
        """Of its states."""
        return int(self.encoder.config.hidden_size)

    @torch.no_grad()
    def _read(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        found = self.tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=self.tokenizer.model_max_length,
            return_tensors="pt",
        )["input_ids"].to(self.encoder.device)
        return found, self.encoder(found)[0].float()

    def prompts(self, texts: Sequence[str]) -> Prompts:
        """Last hidden states."""
        return self._read(texts)[1].cpu()

    def names(self, texts: Sequence[str]) -> Names:
        """The state at the first end-of-text token."""
        ids, states = self._read(texts)
        ends = (ids == self.tokenizer.eos_token_id).int().argmax(1)
        return states[torch.arange(len(ids)), ends].cpu()

    def settings(self) -> dict[str, Any]:
        """Its width."""
        return {"kind": "pipeline", "width": self.width}


def padded(states: Float[Tensor, "texts some width"], length: int) -> Prompts:
    """States with zeros behind them, up to a length."""
    found = states.new_zeros(len(states), length, states.shape[-1])
    found[:, : states.shape[1]] = states[:, :length]
    return found
