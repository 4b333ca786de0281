"""`Meter`: collects the answers of a split and measures them: mAP of HICO-DET, role AP of V-COCO, relatedness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...data.interactions import Interactions
from ...heads.hoi.fusion import best_interactions
from ...heads.hoi.inputs import HOIInputs
from ...metrics.hoi import InteractionBoxes, interaction_precision, interval, known_objects, relatedness_precision
from ...metrics.vcoco import VcocoTruth, slots_of, vcoco_precision
from .config import InteractConfig
from .labels import Annotated
from .proposals import Told


class Meter:
    """Answers, batch by batch.

    Args:
        annotated: what is known of the pictures that will come.
        vocabulary: the interactions there are.
        groups: sets of interactions that are measured by themselves.
        config: how many answers a picture may have.
        people: annotated people of the same pictures, where V-COCO's protocol measures them too.
    """

    def __init__(
        self,
        annotated: Annotated,
        vocabulary: Interactions,
        groups: Mapping[str, Sequence[int]],
        config: InteractConfig,
        people: VcocoTruth | None = None,
    ) -> None:
        self.annotated, self.vocabulary = annotated, vocabulary
        self.groups, self.config, self.people = groups, config, people
        self._found: list[tuple[Tensor, ...]] = []
        self._related: list[Tensor] = []
        self._best: list[Tensor] = []
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
        self._best.append(scores.amax(1).cpu())
        self._true.append(told.truths.any(1).cpu())

    def compute(self) -> dict[str, float]:
        """Metrics as shares from 0 to 1.

        Returns:
            As `HoiScores.summary`; `AP/ride horse` of each interaction that is annotated; `mAP_low` and `mAP_high`,
            between which mAP lies, if the settings ask; `relatedness_AP`, where the network tells how related two
            things are, `answer_AP`, how well the best answer of a pair tells it, and `relatedness_chance`; with
            V-COCO's protocol what `VcocoScores.summary` has.

        Raises:
            InputError: no annotated pair.
        """
        picture, interaction, ends, scores = (torch.cat(each) for each in zip(*self._found, strict=True))
        found = InteractionBoxes(
            picture.numpy(), interaction.numpy(), ends[:, 0].numpy(), ends[:, 1].numpy(), scores.numpy()
        )
        known, count = self.annotated, len(self.vocabulary)
        truth = InteractionBoxes(
            known.picture.numpy(), known.interaction.numpy(), known.humans.numpy(), known.objects.numpy()
        )
        counts = known_objects(known.labels.numpy(), self.vocabulary.object_numbers)
        measured = interaction_precision(found, truth, count, counts)
        result = measured.summary(self.groups)
        true = torch.cat(self._true).numpy()
        if true.any():
            by_score = relatedness_precision(torch.cat(self._best).numpy(), true)
            result["answer_AP"] = by_score.pop("relatedness_AP")
            result |= by_score
        if self._related and true.any():
            result |= relatedness_precision(torch.cat(self._related).numpy(), true)
        if self.config.draws:
            low, high = interval(found, truth, count, self.config.draws)
            result |= {"mAP_low": low, "mAP_high": high}
        if self.people is not None:
            result |= vcoco_precision(self.people, self._slots(found, self.people)).summary()
        each = zip(self.vocabulary.names, measured.precision, strict=True)
        return result | {f"AP/{name}": float(value) for name, value in each if not np.isnan(value)}

    def _slots(self, found: InteractionBoxes, people: VcocoTruth) -> InteractionBoxes:
        """Answers as V-COCO counts them: by action and role, whatever the object's class."""
        slots = {slot: place for place, slot in enumerate(slots_of(people.actions))}
        numbers = np.array([slots.get(entry.verb, -1) for entry in self.vocabulary.entries])
        own = numbers[found.category]
        kept = found.take(own >= 0)
        return InteractionBoxes(kept.picture, own[own >= 0], kept.humans, kept.objects, kept.scores)
