"""What the frozen teacher says of a data set, asked once and kept in the cache folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import normalize

from ... import __version__
from ...backbones.backbone import Backbone
from ...backbones.embedded.loading import cache_root
from ...data.dataset import Dataset
from ...errors import BadSample
from ...files import staged_folder, verify_folder
from ...heads.hoi.teacher import ask_teacher
from ...heads.texts import text_vectors
from ...regions.pairs import PairTable
from ..boxes import state_of
from .proposals import Taught

DATA = "teacher.safetensors"
_TOGETHER = 32
"""Pictures that are in memory at a time."""


def embed_interactions(name: str, sentences: Sequence[Sequence[str]]) -> Float[Tensor, "interactions width"]:
    """Unit vectors of interactions, each the mean over its sentences.

    Args:
        name: of a model of pictures and texts, whose joint space is taken; or of any text backbone.
        sentences: of each interaction, as many for all.
    """
    backbone = Backbone.from_pretrained(name)
    total = None
    for some in zip(*sentences, strict=True):
        found = normalize(text_vectors(backbone, some), dim=1)
        total = found if total is None else total + found
    assert total is not None
    return normalize(total, dim=1)


def taught(
    name: str,
    dataset: Dataset,
    rows: Sequence[int],
    table: PairTable,
    texts: Float[Tensor, "interactions width"],
    columns: Int[Tensor, "classes widest"],
    padded: bool,
    progress: Callable[[int, int], object] | None = None,
) -> Taught:
    """Ask the teacher about the pictures and pairs of a split, or read what it said before.

    Args:
        name: of the model.
        dataset, rows: the pictures.
        table: their pairs.
        texts: what they are compared with, in the model's space.
        columns: interactions with each class.
        padded: see `ask_teacher`.
        progress: told how many pictures are done, and how many there are.
    """
    folder = cache_root() / "teachers" / _key(name, dataset, rows, table, texts, padded)
    if not folder.exists():
        _ask(folder, name, dataset, rows, table, texts, columns, padded, progress)
    verify_folder(folder)
    kept = load_file(folder / DATA)
    return Taught(kept["image"], kept["union"])


def _ask(
    folder: Path,
    name: str,
    dataset: Dataset,
    rows: Sequence[int],
    table: PairTable,
    texts: Tensor,
    columns: Tensor,
    padded: bool,
    progress: Callable[[int, int], object] | None,
) -> None:
    backbone = Backbone.from_pretrained(name)
    image = torch.zeros(len(rows), len(texts))
    union = torch.zeros(len(table.pairs), columns.shape[1])
    for start in range(0, len(rows), _TOGETHER):
        places, pictures = [], []
        for place in range(start, min(start + _TOGETHER, len(rows))):
            try:
                pictures.append(dataset.picture(rows[place]))
                places.append(place)
            except BadSample:
                # Its features cannot be made either, so the training says that it is left out.
                continue
        if pictures:
            chosen = torch.tensor(places)
            regions, pairs, numbers = table.take(chosen)
            sized = regions.resized(torch.tensor([picture.size for picture in pictures], dtype=regions.sizes.dtype))
            image[chosen], union[numbers] = ask_teacher(backbone, pictures, sized, pairs, texts, columns, padded)
        if progress is not None:
            progress(min(start + _TOGETHER, len(rows)), len(rows))
    with staged_folder(folder) as stage:
        save_file({"image": image.half(), "union": union.half()}, stage / DATA)


def _key(name: str, dataset: Dataset, rows: Sequence[int], table: PairTable, texts: Tensor, padded: bool) -> str:
    values = [__version__, name, state_of(name), padded, dataset.picture_digest(rows).hex()]
    told = hashlib.sha256(json.dumps(values).encode())
    for each in (table.regions.boxes, table.regions.labels, table.pairs, texts):
        told.update(each.contiguous().numpy().tobytes())
    return told.hexdigest()[:16]
