"""`TextHead`: features in, the loss of texts out; and the memory from which texts are written or weighed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from ...backbones.features import Features
from ...errors import InputError
from .config import DecoderConfig
from .decoder import TextDecoder
from .memory import Memory
from .reader import MemoryReader
from .teaching import log_likelihood, teach

TARGETS = ("labels", "weights", "picture", "captions")


class TextHead(nn.Module):
    """A decoder on the tokens of one or more backbones.

    Args:
        reader: makes the tokens.
        config: of the decoder.
        parallel: share of the captions that training predicts all tokens at once (LocCa: 0.5, CapPa: 0.75).

    Raises:
        InputError: a share outside 0 to 1.
    """

    def __init__(self, reader: MemoryReader, config: DecoderConfig, parallel: float = 0.0) -> None:
        super().__init__()
        if not 0 <= parallel <= 1:
            raise InputError(f"parallel must lie in [0, 1]; got {parallel}.")
        self.reader = reader
        self.decoder = TextDecoder(config, reader.width)
        self.parallel = parallel

    def forward(
        self, features: Features | Mapping[str, Features], targets: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            features: of the pictures; by part where there are several backbones.
            targets: `labels`: (rows, length) ids of prompt, answer and end, padded on the right; `weights`: (rows,
                length), what each token counts for, all 1 if left out; `picture`: (rows,), which picture each text is
                about, in order if left out; `captions`: (rows,), True for texts that may be predicted in parallel.

        Returns:
            `loss`: mean over the texts of the mean over their tokens. Nothing without targets: see `remember`.

        Raises:
            InputError: unknown targets, no labels, or texts that do not fit.
        """
        if targets is None:
            return {}
        labels, weights, picture = self._told(targets)
        chosen = self._parallel(targets.get("captions"), labels)
        losses = teach(self.decoder, self.remember(features), labels, weights, picture=picture, parallel=chosen)
        return {"loss": losses.mean()}

    def remember(self, features: Features | Mapping[str, Features]) -> Memory:
        """What `generate` and `score` look at."""
        return self.decoder.remember(*self.reader(features))

    @torch.no_grad()
    def log_likelihood(self, features: Features | Mapping[str, Features], targets: Mapping[str, Tensor]) -> Tensor:
        """Log-likelihood of each text, (rows,): what ranks encoders with little noise. `targets` as in `forward`."""
        labels, weights, picture = self._told(targets)
        return log_likelihood(self.decoder, self.remember(features), labels, weights, picture=picture)

    def _told(self, targets: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None, Tensor | None]:
        if "labels" not in targets or set(targets) - set(TARGETS):
            raise InputError(f"Targets are labels and perhaps {', '.join(TARGETS[1:])}; got {sorted(targets)}.")
        return targets["labels"], targets.get("weights"), targets.get("picture")

    def _parallel(self, captions: Tensor | None, labels: Int[Tensor, "rows length"]) -> Bool[Tensor, " rows"] | None:
        """Which texts to predict in parallel; in training only."""
        if not self.training or not self.parallel or captions is None:
            return None
        return captions & (torch.rand(len(labels), device=labels.device) < self.parallel)
