"""`RegionStore`: the proposals of a data set, found once by a detector, kept on disk, and read by every later stage.

Boxes are float32, since half precision rounds coordinates above 1024 pixels; scores are float16 and labels int16
(hoi.md 1.2, step 6). All pictures lie flat in one file, which is whole or absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import torch
from jaxtyping import Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import CheckpointError, InputError
from ..files import read_json, staged_folder, to_json, verify_folder
from .groups import segment_rows
from .regions import Regions

DATA, RECORD = "regions.safetensors", "regions.json"
_FIELDS = ("boxes", "picture", "sizes", "labels", "scores")


@dataclass(frozen=True, eq=False)
class RegionStore:
    """Proposals of many pictures. Make it by `save`, read it by `open`."""

    regions: Regions
    """Of all pictures."""
    ids: tuple[str, ...]
    """Of the pictures, in their order."""
    names: tuple[str, ...]
    """Class names by label."""
    source: Mapping[str, str]
    """Where the boxes come from: the detector, its settings."""

    @classmethod
    def save(
        cls,
        folder: str | PathLike[str],
        regions: Regions,
        ids: Sequence[str],
        names: Sequence[str],
        source: Mapping[str, str] | None = None,
    ) -> RegionStore:
        """Write proposals into a folder, whole or not at all, and give them back as they were written.

        Args:
            folder: where.
            regions: of all pictures, in the order of the ids; probabilities are not kept.
            ids: of the pictures.
            names: class names by label.
            source: whatever tells where the boxes come from.

        Raises:
            InputError: not one id a picture, an id that is there twice, a label without a name, or a folder that
                cannot be written.
        """
        if len(ids) != regions.pictures or len(set(ids)) < len(ids):
            raise InputError(
                f"Each of {regions.pictures} pictures needs an id of its own; got {len(set(ids))} of them."
            )
        if len(regions) and int(regions.labels.max()) >= len(names):
            raise InputError(f"There are {len(names)} class names, and a region has label {int(regions.labels.max())}.")
        if len(names) > torch.iinfo(torch.int16).max:
            raise InputError(f"A store of regions counts up to 32767 classes; got {len(names)}.")
        kept = {
            "boxes": regions.boxes.float(),
            "picture": regions.picture.int(),
            "sizes": regions.sizes.float(),
            "labels": regions.labels.short(),
            "scores": regions.scores.half(),
        }
        told = {"ids": list(ids), "names": list(names), "source": dict(source or {})}
        with staged_folder(Path(folder)) as stage:
            save_file({name: value.cpu().contiguous() for name, value in kept.items()}, stage / DATA)
            (stage / RECORD).write_bytes(to_json(told))
        return cls(_read(kept), tuple(ids), tuple(names), dict(source or {}))

    @classmethod
    def open(cls, folder: str | PathLike[str], source: Mapping[str, str] | None = None) -> RegionStore:
        """The inverse of `save`.

        Args:
            folder: that `save` wrote.
            source: what the boxes should come from; None accepts any.

        Raises:
            CheckpointError: a file is missing, damaged, or not what `save` wrote, or the boxes come from elsewhere.
        """
        path = Path(folder)
        verify_folder(path)
        record = read_json(path / RECORD)
        try:
            values = load_file(path / DATA)
            store = cls(
                _read({name: values[name] for name in _FIELDS}).validate(),
                tuple(record["ids"]),
                tuple(record["names"]),
                dict(record["source"]),
            )
        except (OSError, SafetensorError, KeyError, TypeError, InputError) as error:
            raise CheckpointError(f"{str(path)!r} holds no regions that can be read: {error}.") from error
        if len(store.ids) != store.regions.pictures:
            raise CheckpointError(
                f"{str(path)!r} names {len(store.ids)} pictures and holds {store.regions.pictures}. Make it again."
            )
        for name, value in (source or {}).items():
            if store.source.get(name) != value:
                raise CheckpointError(
                    f"The boxes in {str(path)!r} come from {name} {store.source.get(name)!r}, not {value!r}. Make the "
                    "store again, or use what it was made with."
                )
        return store

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.ids)

    def take(self, pictures: Int[Tensor, " chosen"]) -> Regions:
        """The regions of some pictures, as a batch in this order.

        Raises:
            InputError: a number that no picture has.
        """
        return take_pictures(self.regions, pictures)


def take_pictures(regions: Regions, pictures: Int[Tensor, " chosen"]) -> Regions:
    """The regions of some pictures of a batch, as a batch in this order; a picture may be there several times.

    Raises:
        InputError: a number that no picture has.
    """
    if len(pictures) and (int(pictures.min()) < 0 or int(pictures.max()) >= regions.pictures):
        raise InputError(f"There are {regions.pictures} pictures, numbered from 0; got {pictures.tolist()[:10]}.")
    counts = regions.counts[pictures]
    taken = regions.select(segment_rows(regions.starts[pictures], counts))
    number = torch.arange(len(pictures), device=counts.device).repeat_interleave(counts)
    return replace(taken, picture=number, sizes=regions.sizes[pictures])


def _read(kept: Mapping[str, Tensor]) -> Regions:
    """Regions in the types that they are worked with."""
    return Regions(
        boxes=kept["boxes"],
        picture=kept["picture"].long(),
        sizes=kept["sizes"],
        labels=kept["labels"].long(),
        scores=kept["scores"].float(),
    )
