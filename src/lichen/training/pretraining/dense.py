"""The first half of the detector's training: every place of the maps is asked what it shows.

RT-DETR scores all places of its encoder's maps and makes queries of the best (Zhao et al. 2024, §4.3). Trained through
matched queries alone, on few pictures, the maps hardly learn: most places never hear of any box. Here every box has one
place that should name it, as in CenterNet (Zhou et al. 2019, §4), on the map that suits its size, as in FCOS (Tian et
al. 2019, §3.2); everything else should stay silent, but for the places next to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ...regions.boxes import cxcywh_to_xyxy
from ...regions.overlap import matched_giou

_LARGE = 1.5
"""A box belongs to the coarsest map of whose cells it is at least this many wide, or to the finest."""
_SILENT = 0.75
"""Weight of places that should stay silent, as alpha of the focal loss (Lin et al. 2017, §3.2)."""
_BOX, _OVERLAP = 5.0, 2.0
"""Weights of the two losses of boxes, RT-DETR's own."""


@dataclass(frozen=True)
class Places:
    """All cells of all maps, the finest map first, by rows."""

    middles: Float[Tensor, "places 2"]
    """x and y as shares of the picture."""
    cells: Float[Tensor, " places"]
    """Edge of the cell as a share of the picture's."""
    level: Int[Tensor, " places"]
    edges: tuple[int, ...]
    """Cells along the edge of each map."""

    @classmethod
    def of(cls, edges: Sequence[int]) -> Places:
        """The cells of square maps."""
        middles, cells, level = [], [], []
        for number, edge in enumerate(edges):
            along = (torch.arange(edge) + 0.5) / edge
            middles.append(torch.stack([along.repeat(edge), along.repeat_interleave(edge)], 1))
            cells.append(torch.full((edge * edge,), 1 / edge))
            level.append(torch.full((edge * edge,), number))
        return cls(torch.cat(middles), torch.cat(cells), torch.cat(level), tuple(edges))

    def distances(self, boxes: Float[Tensor, "boxes 4"]) -> Float[Tensor, "boxes places"]:
        """From a box's middle to every place on its own map, in cells along the farther axis; infinite elsewhere."""
        extent = boxes[:, 2:].prod(1).sqrt()
        least = torch.tensor([0.0, *(_LARGE / edge for edge in self.edges[1:])])
        own = (extent[:, None] >= least).sum(1) - 1
        away = (boxes[:, None, :2] - self.middles).abs().amax(2) / self.cells
        return away.masked_fill(own[:, None] != self.level, float("inf"))


def dense_loss(
    logits: Float[Tensor, "pictures places classes"],
    boxes: Float[Tensor, "pictures places 4"],
    targets: Sequence[dict[str, Tensor]],
    places: Places,
) -> Float[Tensor, ""]:
    """Focal loss of the classes at all places, L1 and GIoU of the boxes at those that have one; a mean over boxes.

    Args:
        logits: of every class.
        boxes: centre and size as shares of the picture.
        targets: of each picture, `class_labels` and `boxes` in the same form.
        places: of the maps.
    """
    picture = torch.arange(len(targets)).repeat_interleave(torch.tensor([len(each["boxes"]) for each in targets]))
    true = torch.cat([each["boxes"] for each in targets])
    labels = torch.cat([each["class_labels"] for each in targets])
    away = places.distances(true)
    best = away.argmin(1)
    wanted = torch.zeros_like(logits)
    wanted[picture, best, labels] = 1.0
    row, near = (away < 1).nonzero(as_tuple=True)
    weight = _SILENT * logits.detach().sigmoid() ** 2
    weight[picture[row], near, labels[row]] = 0.0
    weight[picture, best, labels] = (1 - logits.detach()[picture, best, labels].sigmoid()) ** 2
    count = max(len(true), 1)
    naming = binary_cross_entropy_with_logits(logits, wanted, weight=weight, reduction="sum") / count
    found = boxes[picture, best]
    overlap = matched_giou(cxcywh_to_xyxy(found), cxcywh_to_xyxy(true))
    return naming + _BOX * (found - true).abs().sum() / count + _OVERLAP * (1 - overlap).sum() / count
