"""`InteractHead`: the networks for interactions as tasks call them: which one, which loss, how scores are fused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...backbones.features import Features
from ...heads.given import Given
from ...heads.hoi import (
    HOIInputs,
    HOIReader,
    HOIScores,
    WeakHOI,
    ZeroShotHOI,
    loss_weights,
    weak_scores,
    zero_shot_scores,
)
from ...regions import Regions
from .config import InteractConfig
from .proposals import Told


class InteractHead(nn.Module):
    """A network for interactions beside one backbone.

    Args:
        given: what reaches it.
        texts: a vector for each interaction.
        objects: which interactions are with each class of boxes.
        teachable: interactions that relate two things: not "no_interaction".
        config: settings.

    Raises:
        InputError: features in which nothing lies anywhere.
    """

    steps: Tensor
    objects: Tensor
    teachable: Tensor

    def __init__(
        self,
        given: Given,
        texts: Float[Tensor, "interactions width"],
        objects: Bool[Tensor, "classes interactions"],
        teachable: Bool[Tensor, " interactions"],
        config: InteractConfig,
    ) -> None:
        super().__init__()
        self.config = config
        self.reader = HOIReader(given)
        kind = ZeroShotHOI if config.method == "zero-shot" else WeakHOI
        self.network: WeakHOI | ZeroShotHOI = kind(*self.reader.widths, texts, config.head)
        self.register_buffer("objects", objects)
        self.register_buffer("teachable", teachable)
        # In the weights, so that a training which goes on knows where it was.
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def inputs(self, features: Mapping[str, Features], regions: Regions, pairs: Int[Tensor, "pairs 2"]) -> HOIInputs:
        """What the network reads of a batch of pictures."""
        (given,) = features.values()
        found: HOIInputs = self.reader(given, regions, pairs, self.objects)
        return found

    def forward(self, features: Mapping[str, Features], targets: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
        """The loss of a batch of pictures.

        Args:
            features: of the pictures.
            targets: `told`, a `Told`.

        Returns:
            `loss` and its parts; in eval mode also `picture_loss` (pictures,), the loss of the batch for each. Nothing
            without targets: see `scores`.
        """
        if targets is None:
            return {}
        told: Told = targets["told"]
        inputs = self.inputs(features, told.regions, told.pairs)
        losses = self._losses(self.network(inputs), inputs, told)
        weights = loss_weights(self.config.head)
        found = {f"loss_{name}": value for name, value in losses.items()}
        found["loss"] = torch.stack([weights[name] * value for name, value in losses.items()]).sum()
        if self.training:
            self.steps += 1
        else:
            found["picture_loss"] = found["loss"].expand(inputs.pictures)
        return found

    def _losses(self, scores: HOIScores, inputs: HOIInputs, told: Told) -> dict[str, Tensor]:
        if isinstance(self.network, ZeroShotHOI):
            assert told.teacher is not None
            return self.network.losses(scores, inputs, told.teacher)
        if self.config.method == "supervised":
            return self.network.supervised_losses(
                scores, inputs, told.labels, told.unclear, told.truths, self.teachable
            )
        # When measured, all losses count, so that they compare from the first step to the last.
        teach = not self.training or int(self.steps) >= self.config.warm_up
        return self.network.losses(scores, inputs, told.labels, told.unclear, self.teachable, teach)

    def scores(self, inputs: HOIInputs) -> tuple[Float[Tensor, "pairs interactions"], Float[Tensor, " pairs"] | None]:
        """Scores of all pairs, and how related each is where the network says so."""
        found: HOIScores = self.network(inputs)
        if isinstance(self.network, ZeroShotHOI):
            return zero_shot_scores(found, inputs, self.config.head), None
        fused = weak_scores(found, inputs, self.teachable, self.config.head)
        return fused, None if found.related is None else found.related.sigmoid()

    def extend(
        self,
        texts: Float[Tensor, "added width"],
        objects: Bool[Tensor, "classes added"],
        teachable: Bool[Tensor, " added"],
    ) -> None:
        """Add interactions that were never learnt; see the constructor for the arguments."""
        self.network.bank.extend(texts)
        self.objects = torch.cat([self.objects, objects.to(self.objects)], 1)
        self.teachable = torch.cat([self.teachable, teachable.to(self.teachable)])
