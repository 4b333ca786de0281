"""`HOIReader`: features of whole pictures and boxes in, what the networks read of them out."""

from __future__ import annotations

from dataclasses import replace

from jaxtyping import Bool, Int
from torch import Tensor, nn

from ...backbones.features import Features
from ...errors import InputError
from ...regions import Regions
from ...regions.pairs import union_regions
from ...regions.spatial import pair_encoding
from ..given import Given
from ..grounding.reader import RegionReader
from ..summary import Summary
from .inputs import HOIInputs, compatible_pairs


class HOIReader(nn.Module):
    """Looks at pictures, boxes and pairs. It has nothing to learn.

    Args:
        given: what reaches the head. Of a model of two towers the vector in the joint space is taken for a picture,
            also where a side network leaves it as it is: the side network is learnt through what lies under the boxes.

    Raises:
        InputError: one vector a sample or a text arrives, or a side network changes no map.
    """

    def __init__(self, given: Given) -> None:
        super().__init__()
        if given.adapted and "final" not in given.adapted:
            raise InputError(
                "This side network changes only the pooled output, in which nothing lies anywhere: it would never be "
                "trained. Choose another form, or the probe."
            )
        self.region = RegionReader(given)
        joint = given.projected and given.pooled is not None
        self.summary = Summary(replace(given, adapted=()) if joint else given)

    @property
    def widths(self) -> tuple[int, int]:
        """Of the vectors of a picture and of a box."""
        return self.summary.width, self.region.width

    def forward(
        self,
        features: Features,
        regions: Regions,
        pairs: Int[Tensor, "pairs 2"],
        objects: Bool[Tensor, "classes interactions"],
    ) -> HOIInputs:
        """What the networks read of a batch.

        Args:
            features: of the pictures, which each fill their map.
            regions: boxes that may take part.
            pairs: rows of person and object; pairs of a picture lie together, in the order of the pictures.
            objects: which interactions are with each class.
        """
        look = self.region(features, regions)
        unions = union_regions(regions, pairs)
        first, second = (regions.boxes.index_select(0, rows) for rows in pairs.unbind(1))
        return HOIInputs(
            regions,
            pairs,
            compatible_pairs(regions.labels, pairs, objects),
            self.summary(features),
            look(regions.boxes, regions.picture),
            look(unions.boxes, unions.picture),
            pair_encoding(first, second, unions.extents),
        )
