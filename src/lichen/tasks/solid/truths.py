"""`Truths`: all half models of a split as padded tables, a batch of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from ...errors import InputError, nearest
from ...heads.solids import Parts, Told
from ...scene import Scene
from ...solids.cuboids import Cuboids
from ...solids.published import Normalisation
from .halves import Half, fold_of


@dataclass(frozen=True, eq=False)
class Truths:
    """What a split teaches or is measured by."""

    told: Told
    """Tables of all objects, normalised."""
    wholes: tuple[Cuboids, ...]
    """All cuboids of each object in the unit cube, reflections included."""
    labels: tuple[Int64[Tensor, " _"], ...]
    """Their classes."""

    @classmethod
    def of(
        cls,
        scenes: Sequence[Scene],
        halves: Sequence[Half],
        classes: Sequence[str],
        normalisation: Normalisation,
        most: int,
    ) -> Truths:
        """Tables of half models; of objects with more than `most` parts the highest are learnt.

        Raises:
            InputError: a part of a class that is not among these.
        """
        numbers = {name: number for number, name in enumerate(classes)}
        widest = min(max(len(half.rows) for half in halves), most)
        count = torch.tensor([min(len(half.rows), widest) for half in halves])
        shape = (len(halves), widest)
        lengths, turns, boxes = (torch.zeros(*shape, width) for width in (6, 3, 4))
        labels = torch.zeros(shape, dtype=torch.int64)
        for place, half in enumerate(halves):
            n = int(count[place])
            first, second = normalisation.normalise(half.rows[:n])
            lengths[place, :n], turns[place, :n], boxes[place, :n] = (
                first.float(),
                second.float(),
                half.boxes[:n].float(),
            )
            labels[place, :n] = torch.tensor([_number(numbers, name, scenes[place]) for name in half.names[:n]])
        fold = torch.tensor([fold_of(scene) for scene in scenes])
        named = tuple(
            torch.tensor([_number(numbers, name, scene) for name in half.whole_names])
            for scene, half in zip(scenes, halves, strict=True)
        )
        parts = Parts(lengths, turns, labels, boxes, count)
        return cls(Told(parts, fold), tuple(half.whole for half in halves), named)

    def take(self, places: Int64[Tensor, " chosen"]) -> Told:
        """Tables of some objects, as a batch in this order."""
        parts = self.told.parts
        taken = (parts.lengths[places], parts.turns[places], parts.classes[places], parts.boxes[places])
        return Told(Parts(*taken, parts.count[places]), self.told.fold[places])


def _number(numbers: dict[str, int], name: str, scene: Scene) -> int:
    if name not in numbers:
        raise InputError(
            f"Scene {scene.id!r} has a part of the class {name!r}, not known here. {nearest(name, numbers)}"
        )
    return numbers[name]
