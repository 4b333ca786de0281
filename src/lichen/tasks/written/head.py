"""`WriteHead`: a `TextHead` as tasks call their heads, and what it takes to ask it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ...backbones.features import Features
from ...heads.decoder.config import DecoderConfig
from ...heads.decoder.head import TextHead
from ...heads.decoder.memory import Memory
from ...heads.decoder.reader import MemoryConfig, MemoryReader
from ...heads.decoder.teaching import log_likelihood, teach
from ...heads.given import Given
from ...language.tokenizer import Tokenizer
from .config import TASKS, WriteConfig

_CAPTIONS = [TASKS.index("caption"), TASKS.index("cap")]


class WriteHead(nn.Module):
    """A decoder beside one or more backbones.

    Args:
        given: what reaches it, by part.
        tokenizer: of its words.
        config: settings.

    Raises:
        InputError: features that a decoder cannot look at, or settings out of range.
    """

    def __init__(self, given: Mapping[str, Given], tokenizer: Tokenizer, config: WriteConfig) -> None:
        super().__init__()
        maps = any(each.kind == "maps" for each in given.values())
        look = MemoryConfig(
            standardise=maps if config.standardise is None else config.standardise,
            positions=maps if config.positions is None else config.positions,
        )
        sizes = DecoderConfig(
            vocabulary=tokenizer.vocabulary,
            layers=config.layers,
            width=config.width,
            heads=config.heads,
            mlp=4 * config.width,
            context=config.context,
            dropout=config.dropout,
            label_smoothing=config.label_smoothing,
            tied=config.tied,
            pad=tokenizer.pad,
            end=tokenizer.end,
        )
        self.text = TextHead(MemoryReader(given, look), sizes, config.parallel)

    def forward(
        self, features: Mapping[str, Features], targets: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """The loss of a batch of sequences.

        Args:
            features: of the picture of each.
            targets: `labels` (rows, length), `free` (rows,): tokens that are given, `task` (rows,): places in `TASKS`.

        Returns:
            `loss`: mean over the sequences of the mean over their tokens. In eval mode also `log_likelihood` (rows,),
            natural logarithm of the probability of all that was to be learnt. Nothing without targets: see `remember`.
        """
        if targets is None:
            return {}
        labels = self._trimmed(targets["labels"])
        weights = (torch.arange(labels.shape[1], device=labels.device) >= targets["free"][:, None]).float()
        captions = torch.isin(targets["task"], targets["task"].new_tensor(_CAPTIONS))
        if self.training:
            return self.text(features, {"labels": labels, "weights": weights, "captions": captions})
        memory = self.remember(features)
        with torch.no_grad():
            likely = log_likelihood(self.text.decoder, memory, labels, weights)
        return {"loss": teach(self.text.decoder, memory, labels, weights).mean(), "log_likelihood": likely}

    def _trimmed(self, labels: Int[Tensor, "rows padded"]) -> Int[Tensor, "rows length"]:
        """Labels without the columns that are padding in every row; examples are padded to the longest of all."""
        real = (labels != self.text.decoder.config.pad).any(0)
        return labels[:, : max(1, int(real.sum()))].long()

    def remember(self, features: Mapping[str, Features]) -> Memory:
        """What the decoder looks at."""
        return self.text.remember(features)
