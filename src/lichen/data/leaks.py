"""`assert_disjoint`: no picture that something is measured on was trained on, over all tasks of a mixture.

The same photographs serve many data sets: COCO's are in RefCOCO, VQA v2, its captions and half of Visual Genome. A
picture of evaluation counts as trained on if a training picture is the same file, has the same contents, the same
name, or looks alike:

- contents: SHA-256 of the file, or of the pixels where they are in memory.
- names: COCO's numbers, whatever is written before them (COCO_val2014_000000000042.jpg is 000000000042.jpg); other
  names without their ending. Names of different data sets may agree by chance ("17.jpg"): where both pictures can be
  opened and are nothing alike, the name is no proof, and the report counts a coincidence.
- looks: a perceptual hash of 64 bits (the signs of the lowest frequencies of the grey picture) that differs in at most
  `HASH` of them, and grey thumbnails that correlate by `ALIKE` or more. Other sizes, compression, colours, brightness
  and contrast are seen through; cuts of more than about 2 %, mirroring and turning are not.

Of 361 COCO photographs, 2,000 pictures of CIFAR-10 and 2,500 by 300 of the playground no two different ones correlated
above 0.92, but for one pair of CIFAR-10 (0.993) that is one picture twice.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np
from jaxtyping import Float32, Int, UInt8
from PIL import Image

from ..errors import BadSample, InputError, pick
from ..scene import Scene
from .dataset import Dataset
from .pictures import open_picture

HASH = 10
"""Most bits of 64 in which the hashes of pictures that look alike differ."""
ALIKE = 0.97
"""Least correlation of their thumbnails."""
UNLIKE = (22, 0.5)
"""Pictures are nothing alike from this many bits on, or below this correlation."""
WAYS = ("path", "contents", "name", "looks")
"""How leaks are found; the first that applies is reported."""
SIDE = 32
"""Side of the grey picture that a hash is made of, in pixels."""
CELLS = 2**24
"""Pairs that are compared at a time: 64 MB."""
_SHOWN = 10
_COCO = re.compile(r"(?:COCO_(?:train|val|test)\d{4}_)?0*(\d+)")

Pictures = Dataset | Sequence[Scene]
"""Pictures of a set: scenes that name their files, or a `Dataset`, which may hold them in memory."""


@dataclass(frozen=True)
class Leak:
    """One picture that is on both sides."""

    train: tuple[str, str]
    """Name of the training set and id of the scene."""
    evaluation: tuple[str, str]
    """The same of the set for evaluation."""
    way: str
    """The first of `WAYS` in which they agree."""

    def __str__(self) -> str:
        return f"{'/'.join(self.evaluation)} is {'/'.join(self.train)} (same {self.way})"


@dataclass(frozen=True)
class LeakReport:
    """What a search for leaks found."""

    leaks: tuple[Leak, ...]
    """By evaluation set, in the order of its scenes."""
    pictures: Mapping[str, int]
    """Scenes with a picture, by "train/<set>" and "evaluation/<set>"."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Pictures that could not be opened, by "<side>/<set>/<id>", with the reason: only path and name were compared."""
    coincidences: int = 0
    """Pairs of pictures with one name that are nothing alike."""

    def train_ids(self, name: str) -> frozenset[str]:
        """Ids of a training set's scenes that are measured on: training without them is clean."""
        return frozenset(leak.train[1] for leak in self.leaks if leak.train[0] == name)

    def __str__(self) -> str:
        counts = Counter((leak.evaluation[0], leak.train[0], leak.way) for leak in self.leaks)
        rows = [f"{number} of {a} in {b}, same {way}" for (a, b, way), number in sorted(counts.items())]
        read = ", ".join(f"{name} {number}" for name, number in self.pictures.items())
        more = [f"{self.coincidences} of one name by chance"] if self.coincidences else []
        more += [f"{len(self.unread)} could not be opened"] if self.unread else []
        return f"Leaks: {'; '.join(rows) or 'none'}. Pictures: {'; '.join([read, *more])}."


def assert_disjoint(
    train: Mapping[str, Pictures] | Pictures,
    evaluation: Mapping[str, Pictures] | Pictures,
    by: Collection[str] = WAYS,
) -> LeakReport:
    """Make sure that nothing is measured on pictures that were trained on.

    Args:
        train: the sets of a mixture by name, or one set.
        evaluation: all that will be measured on, by name, or one set.
        by: how leaks are found, of `WAYS`. "path" and "name" open no picture.

    Returns:
        What was compared.

    Raises:
        InputError: there are leaks; the first are listed.
    """
    report = find_leaks(train, evaluation, by)
    if report.leaks:
        listed = "; ".join(map(str, report.leaks[:_SHOWN]))
        more = f"; and {len(report.leaks) - _SHOWN} more" if len(report.leaks) > _SHOWN else ""
        named = any(leak.way == "name" for leak in report.leaks)
        hint = " If data sets merely number their pictures alike, leave 'name' out of `by`." if named else ""
        raise InputError(
            f"Pictures that are measured on are also trained on: {listed}{more}. Leave them out of training; "
            f"find_leaks() lists them all.{hint}"
        )
    return report


def find_leaks(
    train: Mapping[str, Pictures] | Pictures,
    evaluation: Mapping[str, Pictures] | Pictures,
    by: Collection[str] = WAYS,
) -> LeakReport:
    """Look for pictures of `train` in `evaluation`; arguments as `assert_disjoint`. Scenes without a picture are none.

    Raises:
        InputError: a way that does not exist.
    """
    for way in by:
        pick("way of finding leaks", way, WAYS)
    look = "contents" in by or "looks" in by
    seen: dict[str, _Print] = {}
    trained, measured = (
        _Side.of(name, sets if isinstance(sets, Mapping) else {name: sets}, look, seen)
        for name, sets in (("train", train), ("evaluation", evaluation))
    )
    pairs: dict[tuple[int, int], str] = {}
    coincidences = 0
    for way in (way for way in WAYS if way in by):
        found = measured.alike(trained) if way == "looks" else measured.same(trained, way)
        for pair in found:
            if pair in pairs:
                continue
            if way == "name" and measured.unlike(trained, *pair):
                coincidences += 1
            else:
                pairs[pair] = way
    return LeakReport(
        tuple(Leak(trained.places[b], measured.places[a], way) for (a, b), way in sorted(pairs.items())),
        trained.counts | measured.counts,
        trained.unread | measured.unread,
        coincidences,
    )


@dataclass(frozen=True)
class _Print:
    """What one picture is known by; None where it was not opened."""

    contents: bytes | None = None
    grey: UInt8[np.ndarray, "32 32"] | None = None
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class _Side:
    """All pictures of training, or of evaluation: one row a scene with a picture."""

    places: list[tuple[str, str]]
    keys: dict[str, list[str | bytes | None]]
    """By way: what equal pictures have in common."""
    rows: Int[np.ndarray, " opened"]
    """Rows whose picture was opened and is not of one grey."""
    bits: Float32[np.ndarray, "opened 64"]
    """1 or -1."""
    thumbnails: Float32[np.ndarray, "opened 256"]
    """Of mean 0 and length 1."""
    counts: dict[str, int]
    unread: dict[str, str]

    @classmethod
    def of(cls, side: str, sets: Mapping[str, Pictures], look: bool, seen: dict[str, _Print]) -> _Side:
        places: list[tuple[str, str]] = []
        paths: list[str | bytes | None] = []
        names: list[str | bytes | None] = []
        prints: list[_Print] = []
        counts: dict[str, int] = {}
        unread: dict[str, str] = {}
        for name, pictures in sets.items():
            rows, scenes = _with_pictures(pictures)
            counts[f"{side}/{name}"] = len(rows)
            places += [(name, scene.id) for scene in scenes]
            paths += [_path(pictures, scene) for scene in scenes]
            names += [_name(scene) for scene in scenes]
            found = _prints(pictures, rows, scenes, seen) if look else [_Print()] * len(rows)
            prints += found
            pairs = zip(scenes, found, strict=True)
            unread |= {f"{side}/{name}/{scene.id}": each.problem for scene, each in pairs if each.problem is not None}
        contents: list[str | bytes | None] = [each.contents for each in prints]
        opened = np.array([row for row, each in enumerate(prints) if each.grey is not None], np.int64)
        greys = np.array([each.grey for each in prints if each.grey is not None], np.uint8).reshape(-1, SIDE, SIDE)
        bits, thumbnails, flat = _looks(greys)
        keys = {"path": paths, "contents": contents, "name": names}
        return cls(places, keys, opened[~flat], bits[~flat], thumbnails[~flat], counts, unread)

    def same(self, other: _Side, way: str) -> Iterator[tuple[int, int]]:
        """Pairs of rows, here and in `other`, with one key."""
        known = defaultdict(list)
        for row, key in enumerate(other.keys[way]):
            known[key].append(row)
        for row, key in enumerate(self.keys[way]):
            if key is not None:
                yield from ((row, match) for match in known.get(key, ()))

    def alike(self, other: _Side) -> Iterator[tuple[int, int]]:
        """Pairs of rows whose pictures look alike."""
        if not len(self.rows) or not len(other.rows):
            return
        step = max(1, CELLS // len(other.rows))
        for start in range(0, len(self.rows), step):
            # Bits that differ: 64 less those that agree, by the product of signs.
            near = self.bits[start : start + step] @ other.bits.T >= 64 - 2 * HASH
            here, there = near.nonzero()
            likeness = (self.thumbnails[start + here] * other.thumbnails[there]).sum(1)
            sure = likeness >= ALIKE
            found = self.rows[start + here[sure]], other.rows[there[sure]]
            yield from zip(found[0].tolist(), found[1].tolist(), strict=True)

    def unlike(self, other: _Side, row: int, match: int) -> bool:
        """Whether both pictures were opened, and are nothing alike."""
        here, there = np.searchsorted(self.rows, row), np.searchsorted(other.rows, match)
        if not (self.rows[here : here + 1] == row).any() or not (other.rows[there : there + 1] == match).any():
            return False
        differing = (64 - self.bits[here] @ other.bits[there]) / 2
        return bool(differing >= UNLIKE[0] or self.thumbnails[here] @ other.thumbnails[there] < UNLIKE[1])


def _with_pictures(pictures: Pictures) -> tuple[list[int], list[Scene]]:
    """Rows with a picture, and their scenes."""
    scenes = pictures.scenes if isinstance(pictures, Dataset) else pictures
    rows = [row for row, scene in enumerate(scenes) if _within(pictures) or scene.image is not None]
    return rows, [scenes[row] for row in rows]


def _within(pictures: Pictures) -> bool:
    """Whether the set holds its pictures itself."""
    return isinstance(pictures, Dataset) and (pictures.pixels is not None or pictures.encoded is not None)


def _path(pictures: Pictures, scene: Scene) -> str | None:
    """The file of a picture, links followed; None for one that is not read from a file."""
    return None if scene.image is None or _within(pictures) else os.path.realpath(scene.image)


def _name(scene: Scene) -> str:
    """A name that the same picture has in other data sets too."""
    stem = PurePath(scene.image or scene.id).stem
    number = _COCO.fullmatch(stem)
    return number[1] if number else stem


def _prints(pictures: Pictures, rows: Iterable[int], scenes: Sequence[Scene], seen: dict[str, _Print]) -> list[_Print]:
    """What the pictures are known by. A file that many scenes show is opened once: `seen` remembers it by its path."""
    if isinstance(pictures, Dataset) and pictures.pixels is not None:
        pixels = pictures.pixels
        return [_print(np.ascontiguousarray(pixels[row]).tobytes(), Image.fromarray(pixels[row])) for row in rows]
    sources: list[str | Path | bytes]
    if isinstance(pictures, Dataset) and pictures.encoded is not None:
        sources = [pictures.encoded[row] for row in rows]
    else:
        sources = [os.path.realpath(scene.image) for scene in scenes if scene.image is not None]
    named = zip(sources, scenes, strict=True)
    files = {str(source): scene.id for source, scene in named if not isinstance(source, bytes)}
    new = {path: id for path, id in files.items() if path not in seen}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        seen |= zip(new, pool.map(_of_file, new, new.values()), strict=True)
    return [
        _of_bytes(source, scene.id) if isinstance(source, bytes) else seen[str(source)]
        for source, scene in zip(sources, scenes, strict=True)
    ]


def _of_file(path: str, id: str) -> _Print:
    try:
        return _of_bytes(Path(path).read_bytes(), id)
    except (OSError, ValueError) as error:
        return _Print(problem=f"{path!r} cannot be opened: {getattr(error, 'strerror', None) or error}")


def _of_bytes(data: bytes, id: str) -> _Print:
    try:
        return _print(data, open_picture(data, id, size=SIDE))
    except BadSample as error:
        return _Print(hashlib.sha256(data).digest(), problem=error.reason)


def _print(data: bytes, picture: Image.Image) -> _Print:
    grey = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return _Print(hashlib.sha256(data).digest(), np.asarray(grey))


def _looks(
    greys: UInt8[np.ndarray, "pictures 32 32"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hash bits, thumbnails, and which pictures are of one grey and so have neither."""
    values = greys.astype(np.float32)
    ticks = np.arange(SIDE)
    waves = np.cos(np.pi * (2 * ticks + 1) * ticks[:8, None] / (2 * SIDE)).astype(np.float32)
    low = (waves @ values @ waves.T).reshape(len(greys), 64)
    # The first is the brightness of the whole; it says nothing about the others' middle.
    middle = np.median(low[:, 1:], axis=1, keepdims=True) if len(greys) else low[:, :1]
    bits = np.where(low > middle, 1, -1).astype(np.float32)
    small = values.reshape(len(greys), 16, 2, 16, 2).mean((2, 4)).reshape(len(greys), 256)
    small -= small.mean(1, keepdims=True)
    length = np.linalg.norm(small, axis=1, keepdims=True)
    # Below one grey level of deviation there is only noise.
    return bits, small / np.maximum(length, 1), length[:, 0] < 16
