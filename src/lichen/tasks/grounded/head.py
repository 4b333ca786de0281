"""`GroundHead`: the grounding network as tasks call it: a batch of captions, each picture once, classes as a prior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...backbones.features import Features
from ...heads.given import Given
from ...heads.grounding.captions import Captions
from ...heads.grounding.config import WEIGHTS
from ...heads.grounding.head import GroundingHead
from ...heads.grounding.losses import weighted
from ...heads.grounding.network import Grounding
from ...heads.grounding.prior import label_prior
from ...heads.grounding.reader import RegionReader
from ...regions import Regions
from .config import GroundConfig


@dataclass(frozen=True, eq=False)
class Said:
    """Captions of a batch and the boxes of their pictures, each picture once."""

    captions: Captions
    regions: Regions
    first: Int[Tensor, " pictures"]
    """A caption of each picture, whose features are taken for the picture."""

    def to(self, device: torch.device | str) -> Said:
        """The same on another device."""
        return Said(self.captions.to(device), self.regions.to(device), self.first.to(device))


class GroundHead(nn.Module):
    """A grounding network beside an image backbone and, maybe, a text backbone.

    Args:
        given: what reaches it, by part: `image`, and `text` where a text backbone reads the captions.
        words: ids of words in captions, which a GRU reads.
        spoken: ids of words in phrases.
        relation_counts: how often each category of relations occurs.
        config: settings.
        vectors: a vector for each word of phrases and for each class of boxes, zeros for one without; None uses no
            classes.

    Raises:
        InputError: features in which nothing lies anywhere.
    """

    steps: Tensor
    word_vectors: Tensor | None
    class_vectors: Tensor | None

    def __init__(
        self,
        given: Mapping[str, Given],
        words: int,
        spoken: int,
        relation_counts: Sequence[int],
        config: GroundConfig,
        vectors: tuple[Float[Tensor, "words width"], Float[Tensor, "classes width"]] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        text = given["text"].width if "text" in given else None
        self.network = GroundingHead(
            RegionReader(given["image"]),
            spoken,
            words=words if text is None else None,
            text=text,
            relation_counts=relation_counts,
            config=config.network(),
        )
        self.register_buffer("word_vectors", None if vectors is None else vectors[0])
        self.register_buffer("class_vectors", None if vectors is None else vectors[1])
        # In the weights, so that a training which goes on knows where it was.
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @property
    def refine(self) -> int:
        """How often boxes are moved now."""
        network = self.config.network()
        early = self.training and int(self.steps) < self.config.refine_from
        return self.config.refine if network.fine and network.regress and not early else 0

    def prior(self, captions: Captions) -> Float[Tensor, "phrases classes"] | None:
        """How well each class suits each phrase, by the vectors of their words."""
        if self.word_vectors is None or self.class_vectors is None:
            return None
        known = self.word_vectors.any(1)[captions.spoken]
        total = (self.word_vectors[captions.spoken] * known[..., None]).sum(1)
        return label_prior(total / known.sum(1, keepdim=True).clamp(min=1), self.class_vectors, self.config.floor)

    def ground(self, features: Mapping[str, Features], said: Said) -> Grounding:
        """Find the phrases of a batch.

        Args:
            features: of the picture of each caption, and of the captions where a text backbone reads them.
            said: the captions.
        """
        pictures = features["image"][said.first]
        found: Grounding = self.network(
            pictures,
            said.regions,
            said.captions,
            prior=self.prior(said.captions),
            refine=self.refine,
            text=features.get("text"),
        )
        return found

    def forward(self, features: Mapping[str, Features], targets: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
        """The loss of a batch of captions.

        Args:
            features: see `ground`.
            targets: `said`, a `Said`.

        Returns:
            `loss` and its parts; in eval mode also `caption_loss` (captions,), the loss of the batch for each. Nothing
            without targets: see `ground`.
        """
        if targets is None:
            return {}
        said: Said = targets["said"]
        losses = self.network.losses(self.ground(features, said), said.captions)
        found = {f"loss_{name}": value for name, value in losses.items()}
        found["loss"] = weighted(losses, WEIGHTS)
        if self.training:
            self.steps += 1
        else:
            found["caption_loss"] = found["loss"].expand(len(said.captions))
        return found
