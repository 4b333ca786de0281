"""`Meter`: collects the answers of a split and measures them: mAP of HICO-DET, role AP of V-COCO, relatedness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...heads.hoi.fusion import best_interactions
from ...heads.hoi.inputs import HOIInputs
from ...metrics.hoi import InteractionBoxes, interaction_precision, known_objects, relatedness_precision
from .config import InteractConfig
from .labels import Annotated
from .proposals import Told


class Meter:
    """Answers, batch by batch.

    Args:
        annotated: what is known of the pictures that will come.
        objects: number of the object of each interaction.
        groups: sets of interactions that are measured by themselves.
        config: how many answers a picture may have.
    """

    def __init__(
        self, annotated: Annotated, objects: Sequence[int], groups: Mapping[str, Sequence[int]], config: InteractConfig
    ) -> None:
        self.annotated, self.objects = annotated, np.asarray(objects)
        self.groups, self.config = groups, config
        self._found: list[tuple[Tensor, ...]] = []
        self._related: list[Tensor] = []
        self._true: list[Tensor] = []

    def add(
        self,
        pictures: Tensor,
        inputs: HOIInputs,
        told: Told,
        scores: Float[Tensor, "pairs interactions"],
        related: Float[Tensor, " pairs"] | None = None,
    ) -> None:
        """Take the answers of a batch.

        Args:
            pictures: numbers of its pictures, among those that are measured.
            inputs, told: what the head was told of it.
            scores: of its pairs.
            related: how related each pair is; None where nobody says.
        """
        best = best_interactions(scores, inputs, self.config.answers, self.config.suppress)
        ends = inputs.regions.boxes[inputs.pairs[best.pair]]
        picture = pictures.to(best.pair)[inputs.picture[best.pair]]
        self._found.append(tuple(each.cpu() for each in (picture, best.interaction, ends, best.score)))
        if related is not None:
            self._related.append(related.cpu())
        self._true.append(told.truths.any(1).cpu())

    def compute(self) -> dict[str, float]:
        """Metrics as shares from 0 to 1, see `HoiScores.summary`; and relatedness AP, where it was asked.

        Raises:
            InputError: no annotated pair.
        """
        picture, interaction, ends, scores = (torch.cat(each) for each in zip(*self._found, strict=True))
        found = InteractionBoxes(
            picture.numpy(), interaction.numpy(), ends[:, 0].numpy(), ends[:, 1].numpy(), scores.numpy()
        )
        known, count = self.annotated, len(self.objects)
        truth = InteractionBoxes(
            known.picture.numpy(), known.interaction.numpy(), known.humans.numpy(), known.objects.numpy()
        )
        counts = known_objects(known.labels.numpy(), self.objects)
        result = interaction_precision(found, truth, count, counts).summary(self.groups)
        true = torch.cat(self._true).numpy()
        if self._related and true.any():
            result |= relatedness_precision(torch.cat(self._related).numpy(), true)
        return result
