"""ROIAlign: what a map holds under a box, sampled onto a small grid, with a gradient.

Every cell of the grid is the mean of sampled points, every point a weighted sum of four positions of the map. So the
whole operation is one sparse matrix times the map, and `embedding_bag` multiplies it without holding the samples.

Conventions are those of torchvision and detectron2: with `aligned`, pixel coordinate x lies at map coordinate
x * scale - 0.5, because positions of a map are centres of cells; without it, the older form, at x * scale, and boxes
are at least one cell wide. Points more than one cell outside the map count as zero, others are drawn to its edge.

Sources: He et al., Mask R-CNN, ICCV 2017, section 3 (ROIAlign); detectron2's `ROIAlignV2` for `aligned`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from ..errors import InputError
from .regions import Regions

_TAPS = 1 << 24
"""Weights that are held at once, so that memory stays bounded."""


def roi_align(
    maps: Float[Tensor, "pictures channels rows columns"],
    boxes: Float[Tensor, "boxes 4"],
    picture: Int[Tensor, " boxes"],
    size: int | tuple[int, int] = 7,
    *,
    scale: float | Float[Tensor, "boxes 2"] = 1.0,
    sampling: int = 2,
    aligned: bool = True,
    through_boxes: bool = False,
) -> Float[Tensor, "boxes channels high wide"]:
    """Pool the part of a map under each box onto a grid.

    The mean of a grid of 7 by 7 cells with 2 by 2 points each is the single cell of `size=1, sampling=14`: where only
    the mean is wanted, that is 49 times smaller.

    Args:
        boxes: x1, y1, x2, y2 in pixels.
        picture: which map each box lies on.
        size: cells of the result, the same both ways or (rows, columns).
        scale: map positions a pixel, the same both ways or (x, y) for each box; 1/16 for a stride of 16.
        sampling: points a cell and axis; 0 takes as many as there are map positions in a cell, rounded up, for each box
            by itself (detectron2's default).
        aligned: whether map positions are centres of cells; False is the older form.
        through_boxes: whether boxes get a gradient too. In the published operation they get none.

    Raises:
        InputError: a size or sampling that is no such number, or a box of a picture that is not among the maps.
    """
    high, wide = (size, size) if isinstance(size, int) else size
    if high < 1 or wide < 1 or sampling < 0:
        raise InputError(f"ROIAlign needs a size of at least 1 and sampling of at least 0; got {size} and {sampling}.")
    pictures, channels, rows, columns = maps.shape
    if len(boxes) and (int(picture.min()) < 0 or int(picture.max()) >= pictures):
        wrong = picture[(picture < 0) | (picture >= pictures)][0]
        raise InputError(f"A box names picture {int(wrong)}, but there are {pictures} maps, numbered from 0.")
    if not len(boxes):
        return maps.new_zeros(0, channels, high, wide)
    # Sums of half precision are taken in single precision, as matrix products do inside.
    exact = maps.dtype if maps.dtype == torch.float64 else torch.float32
    start, extent = _windows(boxes if through_boxes else boxes.detach(), scale, aligned)
    along_y = _taps(start[:, 1].to(exact), extent[:, 1].to(exact), high, sampling, rows)
    along_x = _taps(start[:, 0].to(exact), extent[:, 0].to(exact), wide, sampling, columns)
    table = maps.to(exact).permute(0, 2, 3, 1).reshape(-1, channels)
    taps = high * wide * along_y[0].shape[-1] * along_x[0].shape[-1]
    pooled = []
    for part in torch.arange(len(boxes), device=boxes.device).split(max(1, _TAPS // taps)):
        (y, y_weight), (x, x_weight) = ((place[part], weight[part]) for place, weight in (along_y, along_x))
        row = (picture[part, None, None] * rows + y)[:, :, None, :, None] * columns
        place = (row + x[:, None, :, None, :]).flatten(3).flatten(0, 2)
        weight = (y_weight[:, :, None, :, None] * x_weight[:, None, :, None, :]).flatten(3).flatten(0, 2)
        pooled.append(embedding_bag(place, table, per_sample_weights=weight, mode="sum"))
    return torch.cat(pooled).view(len(boxes), high, wide, channels).permute(0, 3, 1, 2).to(maps.dtype)


def pool_regions(
    maps: Float[Tensor, "pictures channels rows columns"],
    regions: Regions,
    size: int | tuple[int, int] = 7,
    *,
    canvas: Float[Tensor, "pictures 2"] | None = None,
    sampling: int = 2,
    aligned: bool = True,
    through_boxes: bool = False,
) -> Float[Tensor, "boxes channels high wide"]:
    """`roi_align` of the regions of a batch over the maps of its pictures.

    The scale is the map's columns by the picture's width and its rows by the height, for each picture by itself: right
    for pictures that were squeezed into a square for the backbone, and for those that kept their shape.

    Args:
        canvas: (width, height), in the pixels of the boxes, of what each map covers, where that is not the picture
            itself: a picture padded to a square covers only part of its map.
    """
    if len(maps) != regions.pictures:
        raise InputError(f"There are {len(maps)} maps for {regions.pictures} pictures.")
    covered = regions.sizes if canvas is None else canvas.to(regions.sizes)
    scale = covered.new_tensor([maps.shape[3], maps.shape[2]]) / covered
    return roi_align(
        maps,
        regions.boxes,
        regions.picture,
        size,
        scale=scale[regions.picture],
        sampling=sampling,
        aligned=aligned,
        through_boxes=through_boxes,
    )


def _windows(boxes: Tensor, scale: float | Tensor, aligned: bool) -> tuple[Tensor, Tensor]:
    """Top left corner and extent of each box, (x, y) in map positions."""
    corners = boxes * (torch.cat([scale, scale], 1) if isinstance(scale, Tensor) else scale)
    start, end = corners[:, :2], corners[:, 2:]
    if aligned:
        return start - 0.5, end - start
    return start, (end - start).clamp(min=1)


def _taps(start: Tensor, extent: Tensor, cells: int, sampling: int, length: int) -> tuple[Tensor, Tensor]:
    """Positions along one axis of the map and their weights, two for every point of every cell.

    Returns:
        Both (boxes, cells, 2 * points); the weights of a cell whose points all lie on the map sum to one.
    """
    points = (extent.detach() / cells).ceil().clamp(min=1) if sampling == 0 else extent.new_full((1,), sampling)
    step = torch.arange(int(points.max()), device=start.device, dtype=start.dtype)
    # Point number `step` of `points` in cell number `cell`.
    inside_cell = (step + 0.5) / points[:, None]
    cell = torch.arange(cells, device=start.device, dtype=start.dtype)
    at = start[:, None, None] + (cell[:, None] + inside_cell[:, None, :]) * (extent / cells)[:, None, None]
    counted = (at >= -1) & (at <= length) & (step < points[:, None])[:, None, :]
    at = at.clamp(0, length - 1)
    low = at.detach().floor()
    upper = at - low
    weight = torch.stack([1 - upper, upper], -1) * (counted / points[:, None, None])[..., None]
    place = torch.stack([low, (low + 1).clamp(max=length - 1)], -1).long()
    return place.flatten(2), weight.flatten(2)
