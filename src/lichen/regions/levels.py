"""ROIAlign over a pyramid of maps: each box on the level that fits its size, or every box on all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import InputError
from .boxes import area
from .regions import Regions
from .roi_align import pool_regions


def choose_level(
    boxes: Float[Tensor, "boxes 4"],
    levels: int,
    *,
    lowest: int = 2,
    usual_size: float | int = 224,
    usual_level: int = 4,
    offset: float | int = 0,
) -> Int[Tensor, " boxes"]:
    """Which level of a pyramid each box is pooled from, 0 for the finest.

    level = floor(usual_level + log2(sqrt(area) / usual_size)), kept between the finest and the coarsest.

    Source: Lin et al., Feature Pyramid Networks, CVPR 2017, equation 1; the 1e-6 is that of released code.

    Args:
        boxes: in pixels of the picture as the backbone saw it.
        levels: number of maps.
        lowest: number of the finest level in the paper's counting: P2 has a stride of 4.
        usual_size: side, in pixels, of a box that goes to `usual_level`.
        offset: 1 for areas that count pixels inclusively, as maskrcnn-benchmark does.
    """
    wanted = (usual_level + (area(boxes, offset).sqrt() / usual_size).log2() + 1e-6).floor()
    return (wanted - lowest).clamp(0, levels - 1).long()


def pool_chosen(
    maps: Sequence[Float[Tensor, "pictures channels _ _"]],
    regions: Regions,
    level: Int[Tensor, " boxes"],
    size: int = 7,
    *,
    canvas: Float[Tensor, "pictures 2"] | None = None,
    sampling: int = 2,
    aligned: bool = True,
) -> Float[Tensor, "boxes channels size size"]:
    """Pool each box from its own level.

    Args:
        maps: fine to coarse, of the same pictures.
        level: as `choose_level` returns it.
        canvas: what the maps cover, as in `pool_regions`.

    Raises:
        InputError: no maps.
    """
    _check(maps)
    pooled = maps[0].new_zeros(len(regions), maps[0].shape[1], size, size)
    for number, values in enumerate(maps):
        rows = (level == number).nonzero()[:, 0]
        part = pool_regions(values, regions.select(rows), size, canvas=canvas, sampling=sampling, aligned=aligned)
        pooled = pooled.index_copy(0, rows, part)
    return pooled


def pool_all(
    maps: Sequence[Float[Tensor, "pictures _ _ _"]],
    regions: Regions,
    size: int = 7,
    *,
    canvas: Float[Tensor, "pictures 2"] | None = None,
    sampling: int = 2,
    aligned: bool = True,
) -> Float[Tensor, "boxes channels size size"]:
    """Pool each box from every level; channels of all levels stand one after another, fine to coarse.

    Source: graphs.md 1.1, the union feature of BGNN.

    Raises:
        InputError: no maps.
    """
    _check(maps)
    return torch.cat(
        [pool_regions(values, regions, size, canvas=canvas, sampling=sampling, aligned=aligned) for values in maps], 1
    )


def _check(maps: Sequence[Tensor]) -> None:
    if not maps:
        raise InputError("A pyramid needs at least one map, fine to coarse.")
