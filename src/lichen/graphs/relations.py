"""`Relations`: who does what to whom in a batch of pictures, beside the `Regions` whose rows they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from ..errors import InputError, nearest
from ..regions.groups import starts_of
from ..regions.regions import Regions, boxed
from ..scene import Scene
from .found import TrueGraph


@dataclass(frozen=True, eq=False)
class Relations:
    """Annotated relations of a batch, flat; those of a picture lie together, in the order of the pictures.

    The constructor checks nothing, so that it costs nothing between steps; `validate` checks values.
    """

    pairs: Int[Tensor, "relations 2"]
    """Rows of the regions: subject, object."""
    predicate: Int[Tensor, " relations"]
    """Place in the list of predicates, from 0."""

    def __len__(self) -> int:
        """Number of relations in all pictures together."""
        return len(self.predicate)

    @classmethod
    def from_scenes(
        cls, scenes: Sequence[Scene], predicates: Sequence[str], *, leave_out_self: bool = False
    ) -> Relations:
        """The relations whose two entities both have a box, between the rows of `Regions.from_scenes` of these scenes.

        Args:
            predicates: names, in the order to number them.
            leave_out_self: whether relations of an entity to itself are left out rather than refused.

        Raises:
            InputError: a predicate that is not in the list, or an entity that a scene does not have or that stands on
                both sides of a relation; with scene and place.
        """
        numbers = {name: number for number, name in enumerate(predicates)}
        pairs, found = [], []
        before = 0
        for scene in scenes:
            rows = {place: before + row for row, place in enumerate(boxed(scene))}
            before += len(rows)
            for place, relation in enumerate(scene.relations):
                where = f"Scene {scene.id!r}: relations[{place}]"
                if relation.predicate not in numbers:
                    raise InputError(
                        f"{where} says {relation.predicate!r}, which is not among the predicates. "
                        f"{nearest(relation.predicate, numbers)}"
                    )
                ends = (relation.subject, relation.object)
                if not all(0 <= end < len(scene.entities) for end in ends):
                    raise InputError(f"{where} names entities {ends}, but there are {len(scene.entities)}.")
                if ends[0] == ends[1] and not leave_out_self:
                    raise InputError(f"{where} relates entity {ends[0]} to itself. Set leave_out_self=True to skip it.")
                if ends[0] != ends[1] and all(end in rows for end in ends):
                    pairs.append([rows[end] for end in ends])
                    found.append(numbers[relation.predicate])
        return cls(torch.tensor(pairs, dtype=torch.long).reshape(-1, 2), torch.tensor(found, dtype=torch.long))

    def to(self, device: torch.device | str) -> Relations:
        """The same on another device."""
        return Relations(self.pairs.to(device), self.predicate.to(device))

    def validate(self, regions: Regions, predicates: int) -> Relations:
        """Check every value against the regions. It waits for the device, so it is for what comes in.

        Args:
            predicates: how many there are.

        Returns:
            The relations themselves.

        Raises:
            InputError: rows that the regions do not have, of two pictures, or the same twice; an unknown predicate; or
                pictures out of order. The message names the first bad relation.
        """
        if len(self.pairs) != len(self.predicate):
            raise InputError(f"There are {len(self.pairs)} pairs but {len(self.predicate)} predicates.")
        check_pairs(self.pairs, regions)
        wrong = (self.predicate < 0) | (self.predicate >= predicates)
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0, 0])
            raise InputError(
                f"Relation {row} has predicate {int(self.predicate[row])}; there are {predicates}, numbered from 0."
            )
        if bool((regions.picture[self.pairs[:, 0]].diff() < 0).any()):
            raise InputError("Relations of a picture lie together, in the order of the pictures.")
        return self

    def of_pictures(self, regions: Regions) -> tuple[TrueGraph, ...]:
        """Boxes, labels and relations of each picture by itself, on the CPU, as metrics take them."""
        picture = regions.picture[self.pairs[:, 0]]
        counts = torch.bincount(picture, minlength=regions.pictures)
        triplets = torch.cat([self.pairs - regions.starts[picture][:, None], self.predicate[:, None]], 1).cpu()
        graphs = []
        rows = zip(starts_of(counts).tolist(), counts.tolist(), regions.split(), strict=True)
        for start, count, own in rows:
            graphs.append(TrueGraph(own.boxes.cpu(), own.labels.cpu(), triplets[start : start + count]))
        return tuple(graphs)


def check_pairs(pairs: Int[Tensor, "pairs 2"], regions: Regions) -> None:
    """Raise an `InputError` that names the first pair which is none: no such row, two pictures, or one row twice."""
    if not len(pairs):
        return
    outside = (pairs < 0) | (pairs >= len(regions))
    inside = pairs.clamp(0, max(len(regions) - 1, 0))
    if not len(regions):
        raise InputError(f"There are {len(pairs)} pairs but no boxes.")
    apart = regions.picture[inside[:, 0]] != regions.picture[inside[:, 1]]
    same = pairs[:, 0] == pairs[:, 1]
    bad = outside.any(1) | apart | same
    if not bool(bad.any()):
        return
    row = int(bad.nonzero()[0, 0])
    first, second = pairs[row].tolist()
    if bool(outside[row].any()):
        reason = f"there are {len(regions)} boxes, numbered from 0"
    elif first == second:
        reason = "a box has no relation to itself"
    else:
        reason = f"they lie in pictures {int(regions.picture[first])} and {int(regions.picture[second])}"
    raise InputError(f"Pair {row} is of boxes {first} and {second}, but {reason}.")
