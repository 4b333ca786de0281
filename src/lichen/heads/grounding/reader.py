"""`RegionReader`: what frozen or adapted features hold under boxes, as one vector a box.

Maps are pooled by ROIAlign, tokens of a picture as the map of its patches. Source: graphs.md 2.1, the mean over 7 by 7
cells with 2 by 2 points each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from ...backbones.features import Features
from ...errors import InputError
from ...regions import Regions, roi_align
from ..given import Given
from ..maps import as_map

POINTS = 14
"""Points a side of a box, the mean of which is its vector."""


class RegionReader(nn.Module):
    """Vectors of boxes. It has nothing to learn.

    Args:
        given: what reaches the head.
        states: numbers of hidden states to read instead of the final output, shallow to deep; their vectors stand side
            by side. Shallow ones of a convolutional backbone see finer detail.
        widths: channels of these states.
        standardise: bring each vector to mean 0 and variance 1, state by state, since backbones differ by orders of
            magnitude.

    Raises:
        InputError: text, one vector a sample, states without their widths, or frozen states beside a side network.
    """

    def __init__(
        self,
        given: Given,
        states: Sequence[int] | None = None,
        widths: Sequence[int] | None = None,
        standardise: bool = True,
    ) -> None:
        super().__init__()
        if given.modality != "image" or given.kind == "vector":
            raise InputError(
                "Boxes are looked at in the map or the patches of a picture; this backbone with its side network "
                f"gives {given.kind} of {'text' if given.modality == 'text' else 'pictures'}."
            )
        if states is not None and (widths is None or len(widths) != len(states) or not states):
            raise InputError(f"Say by widths= how wide each of the hidden states {states} is; got {widths}.")
        if states is not None and given.adapted:
            raise InputError(
                f"Hidden states {list(states)} are frozen, so the side network would never be trained. Set states=None "
                "to read what it adapts, or choose the probe."
            )
        self.states = None if states is None else tuple(states)
        self.widths = (given.width,) if widths is None else tuple(widths)
        self.standardise = standardise

    @property
    def width(self) -> int:
        """Width of a box's vector."""
        return sum(self.widths)

    def forward(
        self, features: Features, regions: Regions, canvas: Float[Tensor, "pictures 2"] | None = None
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """What `GroundingNetwork` looks through.

        Args:
            features: of the pictures, one row each.
            regions: boxes of these pictures; only the sizes of the pictures are used.
            canvas: (width, height), in the pixels of the boxes, of what each map covers, where that is not the picture
                itself: see `regions.pool_regions`.

        Returns:
            A function of boxes (n, 4) and the picture of each (n,) that gives their vectors (n, width).

        Raises:
            InputError: features of other pictures or widths, tokens that are no grid, or numbers that are not finite.
        """
        states = (features.final,) if self.states is None else features.select(self.states).states
        maps = [as_map(state, features.grid) for state in states]
        for values, width in zip(maps, self.widths, strict=True):
            if len(values) != regions.pictures or values.shape[1] != width:
                raise InputError(
                    f"Maps of {regions.pictures} pictures with {width} channels are expected; got shape "
                    f"{tuple(values.shape)}. Use the backbone that the head was built for."
                )
            finite = values.isfinite().flatten(1).all(1)
            if not bool(finite.all()):
                raise InputError(f"The features of picture {int((~finite).nonzero()[0, 0])} hold NaN or infinity.")

        covered = regions.sizes if canvas is None else canvas.to(regions.sizes)

        def look(boxes: Float[Tensor, "boxes 4"], picture: Tensor) -> Float[Tensor, "boxes width"]:
            found = [self._pool(values, boxes, picture, covered) for values in maps]
            return torch.cat(found, 1)

        return look

    def _pool(self, values: Tensor, boxes: Tensor, picture: Tensor, covered: Tensor) -> Tensor:
        scale = covered.new_tensor([values.shape[3], values.shape[2]]) / covered
        pooled = roi_align(values, boxes, picture, 1, scale=scale[picture], sampling=POINTS).flatten(1)
        return layer_norm(pooled, pooled.shape[1:]) if self.standardise else pooled
