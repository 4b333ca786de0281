"""`Regions`: the boxes of a batch of pictures, flat, with what is known of each.

Nothing is padded: five boxes of one picture and none of the next are five rows. The rows of a picture lie together, in
the order of the pictures, so counts and starts say where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import InputError, nearest
from ..scene import Entity, Scene
from . import boxes as box_forms
from .boxes import as_boxes, check_boxes
from .groups import starts_of

NO_CLASS = -1
"""Label of a region of which no class is known."""


@dataclass(frozen=True, eq=False)
class Regions:
    """Boxes of a batch of pictures: annotations, or proposals of a detector.

    The constructor checks shapes only, so that it costs nothing between steps of a model; `validate` checks values.
    """

    boxes: Float[Tensor, "boxes 4"]
    """x1, y1, x2, y2 in pixels of the box's picture, edges between pixels."""
    picture: Int[Tensor, " boxes"]
    """Which picture of the batch a box lies in; never decreasing."""
    sizes: Float[Tensor, "pictures 2"]
    """Width and height of every picture in pixels, also of those without a box."""
    labels: Int[Tensor, " boxes"]
    """Class numbers, places in a list of names that the maker of the regions knows; -1 where no class is known."""
    scores: Float[Tensor, " boxes"]
    """Confidence from 0 to 1; 1 for annotations."""
    probabilities: Float[Tensor, "boxes classes"] | None = None
    """Probability of every class, where a detector tells. A row may sum to less than one (the rest is "nothing"), or
    to more (where classes are judged one by one)."""

    def __post_init__(self) -> None:
        count = len(self.boxes)
        for name in ("picture", "labels", "scores", "probabilities"):
            value = getattr(self, name)
            if value is not None and len(value) != count:
                raise InputError(f"There are {count} boxes but {len(value)} entries of {name}.")

    @classmethod
    def make(
        cls,
        boxes: Any,
        sizes: Any,
        *,
        picture: Any = None,
        labels: Any = None,
        scores: Any = None,
    ) -> Regions:
        """Checked regions from lists, arrays or tensors.

        Args:
            boxes: four numbers a row, x1, y1, x2, y2 in pixels.
            sizes: (width, height) in pixels, one pair a picture.
            picture: number of each box's picture; None where there is one picture.
            labels: class numbers; None for boxes of no class.
            scores: from 0 to 1; None for annotations.

        Raises:
            InputError: what does not fit together, or the first bad row.
        """
        table = as_boxes(boxes)
        device = table.device
        shape = torch.as_tensor(sizes, dtype=table.dtype, device=device)
        if shape.ndim != 2 or shape.shape[1] != 2:
            raise InputError(f"Sizes are (width, height), one pair a picture; got shape {tuple(shape.shape)}.")
        if picture is None:
            if len(shape) != 1:
                raise InputError(f"There are {len(shape)} pictures: say with picture= which one each box lies in.")
            picture = torch.zeros(len(table))

        def column(values: Any, default: int, dtype: torch.dtype) -> Tensor:
            if values is None:
                return torch.full((len(table),), default, dtype=dtype, device=device)
            return torch.as_tensor(values, dtype=dtype, device=device).reshape(-1)

        return cls(
            boxes=table,
            picture=column(picture, 0, torch.long),
            sizes=shape,
            labels=column(labels, NO_CLASS, torch.long),
            scores=column(scores, 1, table.dtype),
        ).validate()

    def validate(self) -> Regions:
        """Check every value. It waits for the device, so it is for what comes in, not for every step.

        Returns:
            The regions themselves.

        Raises:
            InputError: sizes that are not positive, a picture number out of range or out of order, a score outside 0
                to 1, or a box that is not finite, inverted or without area; the message names the first bad row.
        """
        positive = (self.sizes > 0).all(1) & self.sizes.isfinite().all(1)
        if not bool(positive.all()):
            row = int((~positive).nonzero()[0, 0])
            raise InputError(f"The size of picture {row} must be positive; got {tuple(self.sizes[row].tolist())}.")
        check_boxes(self.boxes)
        if not len(self):
            return self
        if int(self.picture.min()) < 0 or int(self.picture.max()) >= self.pictures:
            raise InputError(
                f"Boxes name pictures {int(self.picture.min())} to {int(self.picture.max())}, but there are "
                f"{self.pictures}, numbered from 0."
            )
        if bool((self.picture.diff() < 0).any()):
            row = int((self.picture.diff() < 0).nonzero()[0, 0]) + 1
            raise InputError(f"Boxes of a picture lie together: box {row} goes back to picture {self.picture[row]}.")
        good = (self.scores >= 0) & (self.scores <= 1)
        if not bool(good.all()):
            row = int((~good).nonzero()[0, 0])
            raise InputError(f"The score of box {row} must be from 0 to 1; got {float(self.scores[row]):g}.")
        return self

    def __len__(self) -> int:
        """Number of boxes in all pictures together."""
        return len(self.boxes)

    @property
    def pictures(self) -> int:
        """Number of pictures, those without a box included."""
        return len(self.sizes)

    @property
    def counts(self) -> Int[Tensor, " pictures"]:
        """Number of boxes of each picture."""
        return torch.bincount(self.picture, minlength=self.pictures)

    @property
    def starts(self) -> Int[Tensor, " pictures"]:
        """Row of the first box of each picture."""
        return starts_of(self.counts)

    @property
    def extents(self) -> Float[Tensor, "boxes 2"]:
        """Width and height of the picture of each box."""
        return self.sizes[self.picture]

    @property
    def normalised(self) -> Float[Tensor, "boxes 4"]:
        """Boxes as fractions of their pictures, 0 to 1."""
        return box_forms.scale(self.boxes, 1 / self.extents)

    def select(self, rows: Int[Tensor, " kept"] | Bool[Tensor, " boxes"] | slice) -> Regions:
        """Some of the boxes, or all in another order; the pictures stay. Boxes of a picture must still lie together."""
        return replace(self, **{name: value[rows] for name, value in self._columns().items()})

    def of(self, number: int) -> Regions:
        """The regions of one picture, alone in its batch.

        Raises:
            InputError: there is no such picture.
        """
        if not 0 <= number < self.pictures:
            raise InputError(f"There are {self.pictures} pictures, numbered from 0; got {number}.")
        start = int(self.starts[number])
        return self._alone(number, slice(start, start + int(self.counts[number])))

    def split(self) -> tuple[Regions, ...]:
        """One `Regions` a picture: the inverse of `cat`."""
        rows = zip(self.starts.tolist(), self.counts.tolist(), strict=True)
        return tuple(self._alone(number, slice(start, start + count)) for number, (start, count) in enumerate(rows))

    def _alone(self, number: int, rows: slice) -> Regions:
        part = self.select(rows)
        return replace(part, picture=torch.zeros_like(part.picture), sizes=self.sizes[number : number + 1])

    @classmethod
    def cat(cls, parts: Sequence[Regions]) -> Regions:
        """Batches one after another: the pictures of the second part come behind those of the first.

        Raises:
            InputError: no parts, or only some of them have probabilities, or those of other classes.
        """
        if not parts:
            raise InputError("There are no regions to join.")
        widths = {None if part.probabilities is None else part.probabilities.shape[1] for part in parts}
        if len(widths) > 1:
            raise InputError("Regions are joined only if all have probabilities of the same classes, or none has any.")
        columns = [part._columns() for part in parts]
        joined = {name: torch.cat([column[name] for column in columns]) for name in columns[0]}
        before = 0
        numbers = []
        for part in parts:
            numbers.append(part.picture + before)
            before += part.pictures
        return replace(parts[0], **{**joined, "picture": torch.cat(numbers)}, sizes=torch.cat([p.sizes for p in parts]))

    def to(self, device: torch.device | str) -> Regions:
        """The same on another device. The type stays: half precision would round coordinates above 1024 pixels."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(self, **{name: value.to(device) for name, value in values.items() if value is not None})

    def resized(self, sizes: Float[Tensor, "pictures 2"]) -> Regions:
        """The regions of the same pictures at other sizes, (width, height) in pixels."""
        sizes = sizes.to(self.sizes)
        return replace(self, boxes=box_forms.scale(self.boxes, (sizes / self.sizes)[self.picture]), sizes=sizes)

    def flipped(self) -> Regions:
        """The regions of the pictures mirrored left to right."""
        return replace(self, boxes=box_forms.flip_horizontal(self.boxes, self.extents[:, 0]))

    def clipped(self, least: float | int = 0) -> Regions:
        """Boxes cut off at the edges of their pictures, without those that keep no area.

        Args:
            least: boxes of which a side, in pixels, is not above this are left out too.
        """
        boxes = box_forms.clip(self.boxes, self.extents)
        kept = (boxes[:, 2:] - boxes[:, :2] > least).all(1)
        return replace(self, boxes=boxes).select(kept)

    def _columns(self) -> dict[str, Tensor]:
        """All that has a row a box."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "sizes"}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_scenes(cls, scenes: Sequence[Scene], names: Sequence[str] | None = None) -> Regions:
        """The boxes of all entities that have one, in the order of `Scene.entities`; see `boxed`.

        Args:
            scenes: one a picture; each says how large its picture is.
            names: class names; a label is its place among them. None leaves all boxes without a class.

        Raises:
            InputError: a scene without a size, a label that is not among the names, or a bad box; with scene and row.
        """
        places = {name: place for place, name in enumerate(names or ())}
        parts = [_of_scene(scene, places, named=names is not None) for scene in scenes]
        if not parts:
            return cls.make([], torch.zeros(0, 2), picture=[])
        return cls.cat(parts)

    def to_scenes(
        self, names: Sequence[str], scenes: Sequence[Scene] | None = None, *, scored: bool = True
    ) -> tuple[Scene, ...]:
        """One scene a picture, with the regions as its entities.

        Args:
            names: class names by label.
            scenes: what else is known of the pictures; entities, and all that points to them, are replaced. None makes
                scenes whose ids are the numbers of the pictures.
            scored: whether entities carry the scores; False for annotations.

        Raises:
            InputError: not one scene a picture, or a label without a name.
        """
        if scenes is not None and len(scenes) != self.pictures:
            raise InputError(f"There are {self.pictures} pictures but {len(scenes)} scenes.")
        if len(self) and int(self.labels.max()) >= len(names):
            raise InputError(f"There are {len(names)} class names, and a region has label {int(self.labels.max())}.")
        entities: list[list[Entity]] = [[] for _ in range(self.pictures)]
        columns = (self.picture.tolist(), self.boxes.tolist(), self.labels.tolist(), self.scores.tolist())
        for picture, box, label, score in zip(*columns, strict=True):
            name = None if label == NO_CLASS else names[label]
            entities[picture].append(Entity(name, tuple(box), score=score if scored else None))
        if scenes is None:
            sizes = [(round(width), round(height)) for width, height in self.sizes.tolist()]
            scenes = [Scene(str(number), size=size) for number, size in enumerate(sizes)]
        free: dict[str, Any] = {"relations": (), "phrases": (), "expressions": (), "questions": ()}
        return tuple(
            replace(scene, entities=tuple(found), **free) for scene, found in zip(scenes, entities, strict=True)
        )


def boxed(scene: Scene) -> tuple[int, ...]:
    """Places in `scene.entities` of the entities that have a box: row i of a scene's regions is entity `boxed[i]`."""
    return tuple(place for place, entity in enumerate(scene.entities) if entity.box is not None)


def _of_scene(scene: Scene, places: dict[str, int], *, named: bool) -> Regions:
    if scene.size is None:
        raise InputError(f"Scene {scene.id!r} does not say how large its picture is. Give it a size, (width, height).")
    labels = []
    for place in boxed(scene):
        label = scene.entities[place].label
        if named and label is not None and label not in places:
            raise InputError(
                f"Scene {scene.id!r}: entities[{place}] is a {label!r}, which is not among the classes. "
                f"{nearest(label, places)}"
            )
        labels.append(NO_CLASS if label is None or not named else places[label])
    entities = [scene.entities[place] for place in boxed(scene)]
    try:
        return Regions.make(
            [entity.box for entity in entities],
            [scene.size],
            labels=labels,
            scores=[1.0 if entity.score is None else entity.score for entity in entities],
        )
    except InputError as error:
        raise InputError(f"Scene {scene.id!r}: {error}") from error
