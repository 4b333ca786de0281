"""`Dataset`: all samples of a data set as Scenes, and which of them are for training, choosing and measuring."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from ..errors import InputError, nearest, pick
from ..scene import Scene
from .pictures import open_picture

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples by row. A row's number is its place in `scenes`.

    Raises:
        InputError: an id occurs twice, a split has a row that does not exist or an unknown name, or the pixels are not
            one picture a row.
    """

    scenes: tuple[Scene, ...]
    """All samples."""
    splits: Mapping[str, tuple[int, ...]]
    """Rows of "train" and, where there are any, of "dev" and "test"."""
    classes: tuple[str, ...] = ()
    """Names by class number; empty where samples have no labels."""
    pixels: UInt8[np.ndarray, "samples height width 3"] | None = None
    """All pictures, where they are in no files and of one size."""
    multi_label: bool = False
    """Whether a sample may have any number of labels, rather than exactly one."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Samples that were left out on reading: id and reason."""
    encoded: Sequence[bytes | Path] | None = None
    """Pictures by row as they are stored (JPEG bytes and the like), where they are neither in files nor in `pixels`."""

    def __post_init__(self) -> None:
        if len(set(self.ids)) != len(self.ids):
            raise InputError("A Dataset holds each id once; at least one occurs twice.")
        for name, rows in self.splits.items():
            pick("split", name, SPLITS)
            if rows and not 0 <= min(rows) <= max(rows) < len(self.scenes):
                raise InputError(f"Split {name!r} has rows outside 0 to {len(self.scenes) - 1}.")
        for pictures in (self.pixels, self.encoded):
            if pictures is not None and len(pictures) != len(self.scenes):
                raise InputError(f"A Dataset needs one picture a row: {len(pictures)} for {len(self.scenes)} rows.")

    def __len__(self) -> int:
        return len(self.scenes)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Id of every row."""
        return tuple(scene.id for scene in self.scenes)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.classes)}

    @property
    def has_pictures(self) -> bool:
        """Whether samples have pictures."""
        return self.pixels is not None or self.encoded is not None or any(scene.image for scene in self.scenes[:1])

    @property
    def has_texts(self) -> bool:
        """Whether samples are texts. A sample may be both, such as a picture with words beside it."""
        return any(scene.text is not None for scene in self.scenes[:1])

    def rows(self, split: str) -> tuple[int, ...]:
        """Rows of a split.

        Raises:
            InputError: the data set has no such split; the message says which there are.
        """
        if split not in self.splits:
            raise InputError(
                f"This data set has no {split!r} split, only {', '.join(self.splits)}. Give data.{split}, "
                "or hold samples out of train by data.holdout (dev) or data.test_share (test)."
            )
        return self.splits[split]

    def only(self, splits: Sequence[str]) -> Dataset:
        """The samples of some splits alone, in the same order.

        Raises:
            InputError: no such split.
        """
        wanted = sorted({row for split in splits for row in self.rows(split)})
        places = {row: place for place, row in enumerate(wanted)}
        return replace(
            self,
            scenes=tuple(self.scenes[row] for row in wanted),
            splits={split: tuple(places[row] for row in self.rows(split)) for split in splits},
            pixels=None if self.pixels is None else self.pixels[wanted],
            encoded=None if self.encoded is None else [self.encoded[row] for row in wanted],
        )

    def picture(self, row: int, size: int | None = None) -> Image.Image:
        """The picture of a row: RGB, upright.

        Args:
            row: of the sample.
            size: as in `open_picture`: a large picture may be shrunk while it is read, if its shorter edge stays at
                least twice this.

        Raises:
            BadSample: it cannot be read.
            InputError: the sample is no picture.
        """
        scene = self.scenes[row]
        if self.pixels is not None:
            return Image.fromarray(self.pixels[row])
        if self.encoded is not None:
            return open_picture(self.encoded[row], scene.id, size=size)
        if scene.image is None:
            raise InputError(f"{scene.id!r} is a text, not a picture. Choose a text backbone for this data set.")
        return open_picture(scene.image, scene.id, size=size)

    def picture_digest(self, rows: Sequence[int]) -> bytes:
        """SHA-256 over what the pictures of rows are; of files their size stands for the contents."""
        digest = hashlib.sha256()
        if self.pixels is not None:
            for row in rows:
                digest.update(self.pixels[row].tobytes())
            return digest.digest()
        for row in rows:
            picture = self.scenes[row].image if self.encoded is None else self.encoded[row]
            if isinstance(picture, bytes):
                digest.update(hashlib.sha256(picture).digest())
                continue
            path = Path(picture or "")
            digest.update(f"{path.stat().st_size if path.is_file() else 0}\0".encode())
        return digest.digest()

    def texts(self, rows: Iterable[int]) -> list[str]:
        """Texts of rows.

        Raises:
            InputError: a sample is no text.
        """
        found = [self.scenes[row].text for row in rows]
        if any(text is None for text in found):
            raise InputError("This data set holds pictures, not texts. Choose a vision backbone for it.")
        return [text for text in found if text is not None]

    def targets(self, rows: Iterable[int]) -> Int[Tensor, " rows"] | Float[Tensor, "rows classes"]:
        """What a classifier should answer.

        Returns:
            Class numbers (int64); for multi-label sets 1.0 where a class is present and 0.0 elsewhere.

        Raises:
            InputError: the data set has no labels, a label is not one of `classes`, or a sample of a single-label set
                has none or several.
        """
        if not self.classes:
            raise InputError("This data set has no labels. Give one with labels, or train another task.")
        numbers = [self._class_numbers(row) for row in rows]
        if not self.multi_label:
            return torch.tensor([number for (number,) in numbers], dtype=torch.int64)
        result = torch.zeros(len(numbers), len(self.classes))
        places = [(place, number) for place, present in enumerate(numbers) for number in present]
        if places:
            result[tuple(torch.tensor(places).T)] = 1.0
        return result

    def _class_numbers(self, row: int) -> list[int]:
        scene = self.scenes[row]
        for label in scene.labels:
            if label.name not in self._numbers:
                raise InputError(
                    f"{scene.id!r} has the unknown label {label.name!r}. {nearest(label.name, self.classes)}"
                )
        if not self.multi_label and len(scene.labels) != 1:
            raise InputError(
                f"{scene.id!r} has {len(scene.labels)} labels, but this is a single-label data set. "
                "Set data.multi_label = true, or give each sample one label."
            )
        return [self._numbers[label.name] for label in scene.labels]

    def caption_pairs(self, split: str) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"]]:
        """Every caption of a split: the row it belongs to, and its number among that row's captions.

        Returns:
            Rows and numbers (int64), in the order of `captions(split)`.

        Raises:
            InputError: no such split, or its samples have no captions.
        """
        pairs = [(row, number) for row in self.rows(split) for number in range(len(self.scenes[row].captions))]
        if not pairs:
            raise InputError(
                f"The {split!r} samples have no captions. Read them with kind = 'coco-captions' or 'pairs'."
            )
        rows, numbers = torch.tensor(pairs).T
        return rows.contiguous(), numbers.contiguous()

    def captions(self, split: str) -> tuple[list[str], list[str]]:
        """Texts and ids (`<sample id>#<number>`) of the captions of a split, in the order of `caption_pairs`."""
        pairs = list(zip(*(part.tolist() for part in self.caption_pairs(split)), strict=True))
        texts = [self.scenes[row].captions[number] for row, number in pairs]
        return texts, [f"{self.scenes[row].id}#{number}" for row, number in pairs]
