"""What a location-aware captioner is told of the playground: captions, and words of single boxes, as sequences of ids.

The words of a box are what a caption says of it (the phrase that names this entity and no other), or attributes and
class, as LocCa takes n-grams of the alt-text and names of a fixed list. Referring expressions are kept out: a probe
that is measured on them has not seen them here.

Source: LocCa §3; decoders.md 2.2 and 2.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int16, Int64
from torch import Tensor

from ...language.sequences import Sequences, Target
from ...language.tokenizer import Tokenizer
from ...scene import Scene

LEAST = 4.0
"""Boxes with a shorter edge than this, in pixels, are not told of: they could hardly be seen."""


@dataclass(frozen=True)
class _Kind:
    """All sequences of one kind, those of a picture next to each other."""

    ids: Int16[np.ndarray, "sequences length"]
    free: Int64[np.ndarray, " sequences"]
    """Tokens of each that are given and not learnt."""
    first: Int64[np.ndarray, " pictures_and_end"]
    """Where each picture's begin."""

    def draw(self, pictures: np.ndarray, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Places in `pictures` of those that have any, and one sequence of each."""
        starts, ends = self.first[pictures], self.first[pictures + 1]
        having = np.flatnonzero(ends > starts)
        return having, chance.integers(starts[having], ends[having])


class Told:
    """The sequences of some pictures; a batch draws three of each picture."""

    def __init__(self, scenes: Sequence[Scene], tokenizer: Tokenizer, context: int, boxes: bool) -> None:
        """Write all sequences once.

        Args:
            scenes: of the playground, in the order of their pictures.
            tokenizer: of words and boxes.
            context: tokens of a sequence at most.
            boxes: a caption, a box behind its words and words behind their box are drawn of each picture; without, as
                many captions, so that both learn from the same number of sequences and pictures.
        """
        write = Sequences(tokenizer, context=context)
        self._pad = tokenizer.pad
        captions = [[write.cap(text) for text in scene.captions] for scene in scenes]
        self._captions = range(1 if boxes else 3)
        """Which of the kinds are captions."""
        self._kinds = [_packed(captions, context)] * len(self._captions)
        if boxes:
            regions = [described(scene) for scene in scenes]
            ids = _box_ids(scenes, regions, tokenizer)
            pairs = [[(words, next(ids)) for words, _ in each] for each in regions]
            self._kinds += [
                _packed([[write.aref(words, box) for words, box in each] for each in pairs], context),
                _packed([[write.gcap(box, words) for words, box in each] for each in pairs], context),
            ]

    def draw(self, pictures: np.ndarray, chance: np.random.Generator) -> dict[str, Tensor]:
        """Targets of `TextHead` for some pictures; those without a box give captions alone."""
        labels, free, owner, caption = [], [], [], []
        for number, kind in enumerate(self._kinds):
            having, rows = kind.draw(pictures, chance)
            labels.append(kind.ids[rows])
            free.append(kind.free[rows])
            owner.append(having)
            caption.append(np.full(len(rows), number in self._captions))
        ids = torch.from_numpy(np.concatenate(labels).astype(np.int64))
        ids = ids[:, : int((ids != self._pad).sum(1).max())]
        given = torch.from_numpy(np.concatenate(free))
        return {
            "labels": ids,
            "weights": (torch.arange(ids.shape[1]) >= given[:, None]).float(),
            "picture": torch.from_numpy(np.concatenate(owner)),
            "captions": torch.from_numpy(np.concatenate(caption)),
        }


def described(scene: Scene) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Words and box of everything in a scene that a caption names, and of everything by its attributes and class."""
    seen = [
        (" ".join([*entity.attributes, entity.label or "thing"]), number)
        for number, entity in enumerate(scene.entities)
    ]
    result = []
    for words, number in dict.fromkeys(scene.phrases_of_one + seen):
        box = scene.entities[number].box
        if box is not None and min(box[2] - box[0], box[3] - box[1]) >= LEAST:
            result.append((words, box))
    return result


def _box_ids(
    scenes: Sequence[Scene], regions: Sequence[Sequence[tuple[str, tuple[float, ...]]]], of: Tokenizer
) -> Iterator[tuple[int, ...]]:
    """Ids of all boxes, one after another."""
    boxes = torch.tensor([box for each in regions for _, box in each]).reshape(-1, 4)
    counts = torch.tensor([len(each) for each in regions])
    sizes = torch.tensor([scene.size for scene in scenes], dtype=boxes.dtype).repeat_interleave(counts, 0)
    return iter(of.box_ids(boxes, sizes))


def _packed(targets: Sequence[Sequence[Target]], context: int) -> _Kind:
    flat = [target for each in targets for target in each]
    ids = np.zeros((len(flat), context), np.int16)
    for row, target in enumerate(flat):
        ids[row, : len(target.ids)] = target.ids
    free = np.array([int(np.argmax(target.weights)) for target in flat], np.int64)
    return _Kind(ids, free, np.cumsum([0, *map(len, targets)]))
