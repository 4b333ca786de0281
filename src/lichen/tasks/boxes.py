"""Where the boxes of a task come from: annotations, or a detector that looks at each picture once.

What a detector finds is kept in the cache folder, so that every run, seed and method reads the same boxes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import torch
from PIL import Image

from .. import __version__
from ..backbones.embedded.loading import cache_root
from ..data.dataset import Dataset
from ..errors import BadSample, InputError
from ..regions import NO_CLASS, Regions
from ..regions.detectors import Detector, DetectorConfig, load_detector
from ..regions.stored import RegionStore
from ..scene import Scene

GIVEN = "given"
"""Boxes that are part of the data."""
_TOGETHER = 32
"""Pictures that are in memory at a time."""


@dataclass(frozen=True)
class BoxesConfig:
    """Where boxes come from, the table [head.boxes]."""

    source: str = GIVEN
    """given: the annotated boxes; otherwise a detector: embedded:ssd-mobilenet, embedded:playground-detector, a folder
    or hub id of a detection model."""
    threshold: float = 0.2
    """Lowest score of a detected box, from 0 to 1."""
    overlap: float = 0.5
    """IoU above which, of two boxes of one class, the less certain goes; 1 keeps all."""
    most: int = 100
    """Detected boxes of a picture."""

    def __post_init__(self) -> None:
        if not self.source:
            raise InputError('BoxesConfig.source is empty. Say "given", or name a detector.')
        self.detector()

    @property
    def found(self) -> bool:
        """Whether a detector finds them."""
        return self.source != GIVEN

    def detector(self) -> DetectorConfig:
        """Which boxes a detector keeps."""
        return DetectorConfig(self.threshold, self.overlap, self.most)


def find_boxes(
    dataset: Dataset, rows: Sequence[int], config: BoxesConfig, progress: Callable[[int, int], object] | None = None
) -> RegionStore:
    """What the detector finds in some pictures, once; afterwards it is read from the cache folder.

    Args:
        dataset: where the pictures are.
        rows: of the pictures, in this order.
        config: names the detector.
        progress: told how many pictures are done, and how many there are.

    Returns:
        Boxes of the pictures in the order of the rows, in pixels of the pictures; none in a picture that is broken.

    Raises:
        InputError: no such detector.
    """
    folder = cache_root() / "regions" / _key(dataset, rows, config)
    source = {"detector": config.source}
    if folder.exists():
        return RegionStore.open(folder, source)
    detector = _detector(config)
    found = []
    for start in range(0, len(rows), _TOGETHER):
        some = rows[start : start + _TOGETHER]
        pictures = [_picture(dataset, row) for row in some]
        whole = [picture for picture in pictures if picture is not None]
        parts = iter(detector(whole).split() if whole else ())
        found += [_nothing() if picture is None else _plain(next(parts)) for picture in pictures]
        if progress is not None:
            progress(min(start + _TOGETHER, len(rows)), len(rows))
    regions = Regions.cat(found) if found else Regions.make([], torch.zeros(0, 2), picture=[])
    return RegionStore.save(folder, regions, [dataset.ids[row] for row in rows], detector.names, source)


def class_names(dataset: Dataset, config: BoxesConfig) -> tuple[str, ...]:
    """Classes of the boxes, by label: those that the detector knows, or all that boxes of the data have.

    Raises:
        InputError: no such detector.
    """
    if config.found:
        return tuple(_detector(config).names)
    return tuple(sorted({it.label for scene in dataset.scenes for it in scene.entities if it.box and it.label}))


def found_regions(
    dataset: Dataset, split: str, rows: Sequence[int], config: BoxesConfig, classes: Sequence[str]
) -> Regions:
    """What the detector finds in some pictures of a split, by a task's classes and in the scale of their scenes.

    Args:
        dataset, split: where the pictures are; the detector looks at all of the split.
        rows: of the pictures that are wanted, in this order.
        config: names the detector.
        classes: of the task; boxes of others are left out.
    """
    every = list(dataset.rows(split))
    store = find_boxes(dataset, every, config)
    places = {row: place for place, row in enumerate(every)}
    chosen = store.take(torch.tensor([places[row] for row in rows], dtype=torch.long))
    regions = relabelled(chosen, store.names, classes)
    # A detector sees the picture itself, whatever size its scene says.
    bare = [replace(dataset.scenes[row], entities=()) for row in rows]
    return regions.resized(Regions.from_scenes(bare).sizes)


def find_all_boxes(
    dataset: Dataset, config: BoxesConfig, report: Callable[[str, int, int], object] | None = None
) -> None:
    """Let a detector look at the pictures of every split, so that `find_boxes` need not wait for it later.

    Args:
        dataset: where the pictures are.
        config: names the detector; nothing is done for given boxes.
        report: told of which split, how many pictures are done, and how many there are.
    """
    if not config.found:
        return
    for split, rows in dataset.splits.items():
        told = None if report is None else partial(report, f"boxes of {split}")
        find_boxes(dataset, rows, config, told)


def relabelled(regions: Regions, names: Sequence[str], classes: Sequence[str]) -> Regions:
    """Boxes with the class numbers of a task; those of classes that it does not know are left out.

    Args:
        names: class names by the regions' labels.
        classes: class names by the task's labels.
    """
    places = {name: place for place, name in enumerate(classes)}
    numbers = torch.tensor([*(places.get(name, NO_CLASS) for name in names), NO_CLASS])
    labels = numbers[regions.labels]
    return replace(regions, labels=labels, probabilities=None).select(labels != NO_CLASS)


def with_boxes(scenes: Sequence[Scene], pictures: Sequence[Image.Image], config: BoxesConfig) -> list[Scene]:
    """Scenes of a user's pictures with the boxes that a detector finds, where they have none yet.

    Args:
        scenes: with their sizes.
        pictures: of the scenes.
        config: names the detector.

    Raises:
        InputError: a scene without boxes, and no detector named.
    """
    without = [number for number, scene in enumerate(scenes) if not any(entity.box for entity in scene.entities)]
    if not without:
        return list(scenes)
    if not config.found:
        raise InputError(
            f"{scenes[without[0]].id!r} comes without boxes, and this run was trained on annotated ones. Name a "
            "detector, such as --detector embedded:ssd-mobilenet, or give a file of Scenes with boxes."
        )
    detector = _detector(config)
    result = list(scenes)
    bare = [scenes[number] for number in without]
    regions = detector([pictures[number] for number in without])
    regions = regions.resized(torch.tensor([scene.size for scene in bare], dtype=regions.boxes.dtype))
    for number, scene in zip(without, regions.to_scenes(detector.names, bare), strict=True):
        result[number] = scene
    return result


def only_entities(scene: Scene, places: Sequence[int]) -> Scene:
    """A scene with some of its entities, without what was said of them."""
    things = tuple(scene.entities[place] for place in places)
    return replace(scene, entities=things, relations=(), phrases=(), expressions=())


@lru_cache(maxsize=1)
def _detector(config: BoxesConfig) -> Detector:
    """The detector, loaded once for all batches of pictures."""
    return load_detector(config.source, config.detector())


def state_of(source: str) -> list[tuple[str, int, int]]:
    """What tells two states of a folder with a model apart; nothing for one that has a name."""
    files = sorted(Path(source).iterdir()) if Path(source).is_dir() else []
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]


def _key(dataset: Dataset, rows: Sequence[int], config: BoxesConfig) -> str:
    told = [
        __version__,
        asdict(config),
        state_of(config.source),
        [dataset.ids[row] for row in rows],
        dataset.picture_digest(rows).hex(),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _picture(dataset: Dataset, row: int) -> Image.Image | None:
    try:
        return dataset.picture(row)
    except BadSample:
        # Its features cannot be made either, so the training says that it is left out.
        return None


def _nothing() -> Regions:
    return Regions.make(torch.zeros(0, 4), [(1.0, 1.0)], picture=[])


def _plain(regions: Regions) -> Regions:
    """Without what a store does not keep."""
    return replace(regions, probabilities=None)
