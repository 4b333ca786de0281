"""The frozen teacher: what a model of pictures and texts says of whole pictures and of the crops around pairs.

It is asked once. Of a pair only the interactions with its object are kept, so that 1.1 million pairs of HICO-DET take
55 MB in half precision. Source: hoi.md 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from PIL import Image
from torch import Tensor

from ...backbones.backbone import Backbone
from ...regions import Regions
from ...regions.pairs import union_regions
from ..crops import embed_crops


def columns_of(objects: Bool[Tensor, "classes interactions"]) -> Int[Tensor, "classes widest"]:
    """The interactions with each class, in their order; the rest of a row is -1."""
    counts = objects.sum(1)
    widest = int(counts.max()) if len(counts) else 0
    found = torch.full((len(objects), widest), -1, dtype=torch.long, device=objects.device)
    row, number = objects.nonzero().unbind(1)
    found[row, objects.long().cumsum(1)[row, number] - 1] = number
    return found


def compact(
    values: Float[Tensor, "pairs interactions"], columns: Int[Tensor, "pairs widest"]
) -> Float[Tensor, "pairs widest"]:
    """Of each pair the values of the interactions with its object; zeros where it has fewer."""
    return values.gather(1, columns.clamp(min=0)) * (columns >= 0)


def expand(
    values: Float[Tensor, "pairs widest"], columns: Int[Tensor, "pairs widest"], interactions: int
) -> Float[Tensor, "pairs interactions"]:
    """The inverse of `compact`: zeros for interactions with other objects."""
    room = values.new_zeros(len(values), interactions + 1)
    room.scatter_(1, torch.where(columns >= 0, columns, interactions), values)
    return room[:, :interactions]


def ask_teacher(
    backbone: Backbone,
    pictures: Sequence[Image.Image],
    regions: Regions,
    pairs: Int[Tensor, "pairs 2"],
    texts: Float[Tensor, "interactions width"],
    columns: Int[Tensor, "classes widest"],
    padded: bool = True,
) -> tuple[Float[Tensor, "pictures interactions"], Float[Tensor, "pairs widest"]]:
    """Cosines of pictures, and of the crops around pairs, with the texts.

    Args:
        backbone: of two towers in one space.
        pictures: whose boxes the regions are.
        regions, pairs: the pairs of these pictures.
        texts: unit vectors of the interactions in that space.
        columns: of `columns_of`, by class of the object.
        padded: a crop is shown in the middle of a black square (EoID), rather than with what lies around it.

    Returns:
        Cosines of pictures with all texts; of pairs with those of their object's class, as `compact` keeps them.
    """
    corners = torch.cat([torch.zeros_like(regions.sizes), regions.sizes], 1)
    whole = Regions(
        boxes=corners,
        picture=torch.arange(regions.pictures),
        sizes=regions.sizes,
        labels=torch.full((regions.pictures,), -1),
        scores=torch.ones(regions.pictures),
    )
    image = embed_crops(backbone, pictures, whole, margin=0.0, padded=padded)
    unions = embed_crops(backbone, pictures, union_regions(regions, pairs), padded=padded)
    return image @ texts.T, compact(unions @ texts.T, columns[regions.labels[pairs[:, 1]]])
