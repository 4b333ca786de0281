"""A world of two or three coloured squares a picture, related by where they lie; captions, features, a detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lichen.backbones.features import Features
from lichen.backbones.outline import Outline
from lichen.data.config import DataConfig
from lichen.data.dataset import Dataset
from lichen.heads.given import Given
from lichen.regions import Regions
from lichen.regions.detectors import Detector
from lichen.scene import Entity, Phrase, Relation, Scene

COLOURS = ("blue", "green", "red", "yellow")
SHADES = np.array([(40, 40, 200), (40, 200, 40), (200, 40, 40), (200, 200, 40)], np.uint8)
CELLS, EDGE = 4, 8
SIDE = CELLS * EDGE
WIDTH = 8
COUNT = 64
GIVEN = Given("maps", WIDTH, modality="image")
TEXT = Given("tokens", WIDTH, modality="text")
OUTLINE = Outline("resnet", "maps", "image", (WIDTH,))
SCENES = DataConfig("scenes", path="scenes.jsonl")
SPLITS = {"train": tuple(range(44)), "dev": tuple(range(44, 54)), "test": tuple(range(54, COUNT))}


def squares(row: int) -> list[tuple[int, int, int]]:
    """Colour, column and line of each square."""
    chance = np.random.default_rng(row)
    count = 2 + row % 2
    colours = chance.permutation(len(COLOURS))[:count].tolist()
    cells = chance.permutation(CELLS * CELLS)[:count].tolist()
    return [(colour, cell % CELLS, cell // CELLS) for colour, cell in zip(colours, cells, strict=True)]


def relation(first: tuple[int, int, int], second: tuple[int, int, int]) -> str | None:
    """left of often, above now and then, under rarely."""
    if first[1] < second[1]:
        return "left of"
    if first[1] == second[1]:
        return "above" if first[2] < second[2] else "under"
    return None


def scene(row: int) -> Scene:
    """All that is known of a picture."""
    found = squares(row)
    things = [
        Entity(COLOURS[c], (float(x * EDGE), float(y * EDGE), float((x + 1) * EDGE), float((y + 1) * EDGE)))
        for c, x, y in found
    ]
    relations = [
        Relation(a, said, b)
        for a, first in enumerate(found)
        for b, second in enumerate(found)
        if a != b and (said := relation(first, second))
    ]
    words = [f"a {COLOURS[colour]} square" for colour, _, _ in found]
    caption = " beside ".join(words)
    spans = [(caption.index(word), caption.index(word) + len(word)) for word in words]
    phrases = [Phrase(0, start, end, (number,)) for number, (start, end) in enumerate(spans)]
    return Scene(
        f"p{row}",
        size=(SIDE, SIDE),
        captions=(caption,),
        entities=tuple(things),
        relations=tuple(relations),
        phrases=tuple(phrases),
    )


def dataset(count: int = COUNT, scenes: Sequence[Scene] | None = None) -> Dataset:
    """The pictures."""
    pixels = np.full((count, SIDE, SIDE, 3), 128, np.uint8)
    for row in range(count):
        for colour, column, line in squares(row):
            pixels[row, line * EDGE : (line + 1) * EDGE, column * EDGE : (column + 1) * EDGE] = SHADES[colour]
        pixels[row, -1, -1] = row
    return Dataset(tuple(scenes or map(scene, range(count))), SPLITS, pixels=pixels)


def features(rows: Tensor) -> Features:
    """Maps that show the colour of every square, and a little noise."""
    maps = torch.zeros(len(rows), WIDTH, CELLS, CELLS)
    for number, row in enumerate(rows.tolist()):
        maps[number] = 0.05 * torch.randn(maps.shape[1:], generator=torch.Generator().manual_seed(row))
        for colour, column, line in squares(row):
            maps[number, colour, line, column] += 2.0
    return Features((maps,), maps, grid=(CELLS, CELLS), indices=(1,))


def fetch(part: str, rows: Tensor) -> Features:
    """Features by row."""
    return features(rows)


class Seeing(Detector):
    """Finds every square, a little off, and a ghost of a class that nobody asked for."""

    names = ("ghost", *COLOURS)
    calls = 0

    def __call__(self, pictures: Sequence[Image.Image], scenes: Sequence[Scene] | None = None) -> Regions:
        type(self).calls += len(pictures)
        boxes, picture, labels = [], [], []
        for number, each in enumerate(pictures):
            cells = np.asarray(each)[::EDGE, ::EDGE].astype(int)
            for line in range(CELLS):
                for column in range(CELLS):
                    off = np.abs(cells[line, column] - SHADES.astype(int)).sum(1)
                    if off.min() < 30:
                        x, y = column * EDGE + 1.0, float(line * EDGE)
                        boxes.append([x, y, x + EDGE - 1, y + EDGE])
                        labels.append(int(off.argmin()) + 1)
                        picture.append(number)
            boxes.append([0.0, 0.0, 5.0, 5.0])
            labels.append(0)
            picture.append(number)
        sizes = [each.size for each in pictures]
        return Regions.make(boxes, sizes, picture=picture, labels=labels, scores=[0.75] * len(boxes))
