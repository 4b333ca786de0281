"""`LocalAttention`: what the map holds in a 2D box, as one vector, with where in the box it lies."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...regions.roi_align import roi_align

CELLS = 7


class LocalAttention(nn.Module):
    """ROIAlign of a map and its coordinates under a box, then one convolution over the whole window.

    Two coordinate maps (column, row, counted in cells) stand beside the features; the box's centre is taken from them.
    Source: arXiv 2109.04153, local feature attention (A4), with the older ROIAlign of its code (C5).

    Args:
        channels: of the map.
        width: of the vector.
        centres: matching: the x centre from columns and the y centre from rows; released: the other way round.
    """

    def __init__(self, channels: int, width: int, centres: Literal["matching", "released"] = "matching") -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels + 2, width, CELLS)
        self.swapped = centres == "released"

    def forward(
        self, maps: Float[Tensor, "pictures channels rows columns"], boxes: Float[Tensor, "pictures 4"]
    ) -> Float[Tensor, "pictures width"]:
        """One vector a picture.

        Args:
            maps: one a picture.
            boxes: one a picture, left, top, right, bottom in shares of what the map covers; no gradient reaches them.
        """
        pictures, _, rows, columns = maps.shape
        boxes = boxes.detach()
        across = torch.arange(columns, dtype=maps.dtype, device=maps.device).expand(pictures, 1, rows, columns)
        down = torch.arange(rows, dtype=maps.dtype, device=maps.device)[:, None].expand(pictures, 1, rows, columns)
        cells = boxes * boxes.new_tensor([columns, rows, columns, rows])
        number = torch.arange(pictures, device=maps.device)
        window = roi_align(torch.cat([maps, across, down], 1), cells, number, CELLS, sampling=2, aligned=False)
        centre = (cells[:, :2] + cells[:, 2:]) / 2
        if self.swapped:
            centre = centre.flip(1)
        shift = torch.cat([centre.new_zeros(pictures, maps.shape[1]), centre], 1)
        return self.conv(window - shift[..., None, None]).flatten(1)
