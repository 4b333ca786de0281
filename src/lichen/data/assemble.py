"""Every reader ends here: samples by split become a checked `Dataset`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import UInt8

from ..errors import InputError
from ..scene import Scene
from .config import DataConfig
from .dataset import Dataset
from .labels import check_seen, choose_classes
from .splits import divide


@dataclass
class Part:
    """What one file or folder gave."""

    source: str
    """The file or folder, for messages."""
    scenes: list[Scene]
    """Its samples."""
    pixels: UInt8[np.ndarray, "samples height width 3"] | None = None
    """Their pictures, where they are in no files and of one size."""
    encoded: Sequence[bytes | Path] | None = None
    """Their pictures as stored, where they are neither in files nor in `pixels`."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Samples that were left out: id and reason."""


class _Chosen(Sequence[bytes | Path]):
    """Some elements of several sequences, each fetched when it is asked for."""

    def __init__(self, sequences: Sequence[Sequence[bytes | Path]], places: Sequence[tuple[int, int]]) -> None:
        self.sequences = sequences
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> bytes | Path: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes | Path]: ...
    def __getitem__(self, index: int | slice) -> bytes | Path | Sequence[bytes | Path]:
        if isinstance(index, slice):
            return _Chosen(self.sequences, self.places[index])
        sequence, place = self.places[index]
        return self.sequences[sequence][place]


def assemble(
    config: DataConfig,
    parts: Mapping[str, Part],
    *,
    labelled: bool,
    declared: Sequence[str] = (),
    multi_label: bool = False,
) -> Dataset:
    """Name samples apart, number the classes, hold out, limit, and put all rows in the order train, dev, test.

    Args:
        config: the settings.
        parts: what was read, by split.
        labelled: whether this is data for a classifier.
        declared: all classes in their order, where the data says so; the settings' own order wins.
        multi_label: whether samples may have any number of labels.

    Raises:
        InputError: nothing to train on, one class only, a label unseen in training, settings that contradict the
            data, or pictures of several sizes in one data set of arrays.
    """
    for part in parts.values():
        if not part.scenes:
            raise InputError(f"{part.source} holds no usable sample.")
    _name_apart(parts.values())
    scenes = {split: part.scenes for split, part in parts.items()}
    classes: tuple[str, ...] = ()
    if labelled:
        classes = choose_classes(
            scenes["train"], parts["train"].source, config.classes or declared, multi_label=multi_label
        )
        # A class of a fixed list may be absent from a small multi-label set: its score is then learnt to be low.
        seen = {label.name for scene in scenes["train"] for label in scene.labels}
        seen |= set(classes) if multi_label else set()
        for part in parts.values():
            check_seen(part.scenes, part.source, seen)
    divided = divide(scenes, config)
    if labelled and not multi_label and len({scene.labels for scene in divided["train"]}) < 2:
        raise InputError(
            f"data.limit = {config.limit} leaves training samples of one class only, but a classifier needs at least "
            "two to tell apart. Raise it."
        )
    kept = [scene for split in divided.values() for scene in split]
    splits: dict[str, tuple[int, ...]] = {}
    for split, members in divided.items():
        first = sum(map(len, splits.values()))
        splits[split] = tuple(range(first, first + len(members)))
    return Dataset(
        scenes=tuple(kept),
        splits=splits,
        classes=classes,
        pixels=_pixels(parts, kept),
        multi_label=multi_label,
        skipped={id: reason for part in parts.values() for id, reason in part.skipped.items()},
        encoded=_encoded(parts, kept),
    )


def _name_apart(parts: Iterable[Part]) -> None:
    """Give an id that was there before the suffix #2, #3 and so on."""
    taken: set[str] = set()
    for part in parts:
        for place, scene in enumerate(part.scenes):
            id, copy = scene.id, 1
            while id in taken:
                copy += 1
                id = f"{scene.id}#{copy}"
            taken.add(id)
            if copy > 1:
                part.scenes[place] = replace(scene, id=id)


def _places(parts: Mapping[str, Part], kept: Sequence[Scene]) -> list[tuple[int, int]]:
    """For each kept sample the number of its part and its place there."""
    where = {
        scene.id: (number, place)
        for number, part in enumerate(parts.values())
        for place, scene in enumerate(part.scenes)
    }
    return [where[scene.id] for scene in kept]


def _pixels(parts: Mapping[str, Part], kept: Sequence[Scene]) -> UInt8[np.ndarray, "samples height width 3"] | None:
    arrays = [part.pixels for part in parts.values() if part.pixels is not None]
    if not arrays:
        return None
    shapes = {part.source: part.pixels.shape[1:3] for part in parts.values() if part.pixels is not None}
    if len(set(shapes.values())) > 1:
        sizes = ", ".join(f"{width} x {height} in {source}" for source, (height, width) in shapes.items())
        raise InputError(f"All pictures of a data set of arrays have one size; got {sizes}.")
    result = np.empty((len(kept), *arrays[0].shape[1:]), dtype=np.uint8)
    for row, (number, place) in enumerate(_places(parts, kept)):
        result[row] = arrays[number][place]
    return result


def _encoded(parts: Mapping[str, Part], kept: Sequence[Scene]) -> Sequence[bytes | Path] | None:
    sequences = [part.encoded for part in parts.values() if part.encoded is not None]
    return _Chosen(sequences, _places(parts, kept)) if sequences else None
