"""A world of one coloured square a picture, with all that a decoder can be asked about it, and its features."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lichen.backbones.features import Features
from lichen.data.dataset import Dataset
from lichen.heads.given import Given
from lichen.scene import Entity, Expression, Label, Phrase, Question, Scene, TextLine
from lichen.tasks.written.config import WriteConfig

COLOURS = ("red", "green", "blue", "yellow")
SHADES = np.array([(200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40)], np.uint8)
CELLS, EDGE = 4, 8
SIDE = CELLS * EDGE
WIDTH = 8
GIVEN = Given("maps", WIDTH, modality="image")
COUNT = 40
SPLITS = {"train": tuple(range(28)), "dev": tuple(range(28, 34)), "test": tuple(range(34, COUNT))}
SMALL = {
    "layers": 1,
    "width": 32,
    "heads": 2,
    "context": 24,
    "vocabulary": 400,
    "bins": 8,
    "dropout": 0.0,
    "standardise": False,
}


def config(*tasks: str, **changes: object) -> WriteConfig:
    """Settings of a decoder that trains in seconds."""
    return WriteConfig(**{"tasks": tasks, **SMALL, "label_smoothing": 0.0, "check_leaks": False, **changes})  # type: ignore[arg-type]


def place(row: int) -> tuple[int, int, int]:
    """Colour, column and line of a picture's square."""
    return row % len(COLOURS), (row // 3) % CELLS, (row * 7) % CELLS


def scene(row: int) -> Scene:
    """All that is known of a picture."""
    colour, column, line = place(row)
    name = COLOURS[colour]
    box = (float(column * EDGE), float(line * EDGE), float((column + 1) * EDGE), float((line + 1) * EDGE))
    side = "left" if column < CELLS / 2 else "right"
    return Scene(
        f"p{row}",
        size=(SIDE, SIDE),
        captions=(f"a {name} square on the {side}", f"there is a {name} square"),
        labels=(Label(name),),
        entities=(Entity(f"{name} square", box),),
        phrases=(Phrase(0, 0, len(f"a {name} square"), (0,)),),
        expressions=(Expression(f"the {name} square", 0),),
        questions=(
            Question("what colour is it?", (name,), "colour"),
            Question("is it on the left?", ("yes" if side == "left" else "no",), "yes/no"),
        ),
        lines=(TextLine(name.upper(), box),),
    )


def dataset(count: int = COUNT) -> Dataset:
    """The pictures."""
    pixels = np.full((count, SIDE, SIDE, 3), 128, np.uint8)
    # No two pictures are alike, whatever a perceptual hash may see.
    pixels += np.random.default_rng(0).integers(0, 60, pixels.shape, dtype=np.uint8)
    for row in range(count):
        colour, column, line = place(row)
        pixels[row, line * EDGE : (line + 1) * EDGE, column * EDGE : (column + 1) * EDGE] = SHADES[colour]
    return Dataset(tuple(map(scene, range(count))), SPLITS, COLOURS, pixels=pixels)


def features(rows: Tensor) -> Features:
    """Maps that show colour and place of the square, and a little noise."""
    maps = torch.zeros(len(rows), WIDTH, CELLS, CELLS)
    for number, row in enumerate(rows.tolist()):
        colour, column, line = place(row)
        maps[number] = 0.05 * torch.randn(maps.shape[1:], generator=torch.Generator().manual_seed(row))
        maps[number, colour, line, column] += 2.0
    return Features((maps,), maps, grid=(CELLS, CELLS), indices=(1,))


class Fetch:
    """Gives features by row, and remembers which were asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, part: str, rows: Tensor) -> Features:
        self.asked += rows.tolist()
        return features(rows)
