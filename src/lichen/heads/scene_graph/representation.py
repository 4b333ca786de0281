"""What boxes and their pairs are before any context: what they show, where they lie, and what class they seem.

Source: BGNN, CVPR 2021, as its authors' code has it (graphs.md 1.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from ...regions.spatial import box_geometry, pair_geometry
from .config import SceneGraphConfig
from .inputs import GraphInputs
from .layers import ClassVectors, SteadyBatchNorm, dense, xavier

GEOMETRY, PAIR_GEOMETRY = 9, 32
"""Numbers that say where a box, or a pair of boxes, lies."""
_HIDDEN, _CODE = 32, 128


@dataclass(frozen=True, eq=False)
class Represented:
    """A batch before any context."""

    entities: Float[Tensor, "boxes pooled"] | None
    """e⁰ of the paper; None where only pairs are wanted."""
    predicates: Float[Tensor, "pairs pooled"]
    """r⁰ of the paper."""
    geometry: Float[Tensor, "boxes 9"]
    shares: Float[Tensor, "boxes one_more"]
    """Probability of "nothing" and of each class."""


class Representation(nn.Module):
    """Makes the features of boxes and pairs that a context starts from.

    Args:
        config: sizes.
        classes: how many there are.
        channels: of the boxes' features.
        union_channels: of the unions' features; None where there are none.
        words: where the vectors of the classes start; see `ClassVectors`.
        entities: whether features of the boxes are wanted too.
    """

    def __init__(
        self,
        config: SceneGraphConfig,
        classes: int,
        channels: int,
        union_channels: int | None = None,
        words: Float[Tensor, "classes width"] | None = None,
        *,
        entities: bool = True,
    ) -> None:
        super().__init__()
        self.config, self.classes = config, classes
        width, pooled, embedding = config.width, config.pooled, config.embedding
        self.seeming = ClassVectors(classes, embedding, words)
        self.label = ClassVectors(classes, embedding, words)
        # Statistics of a batch would make an answer depend on the other pictures.
        norm: nn.Module = SteadyBatchNorm(_HIDDEN, momentum=0.001) if config.released else nn.LayerNorm(_HIDDEN)
        self.place = nn.Sequential(nn.Linear(GEOMETRY, _HIDDEN), norm, nn.Linear(_HIDDEN, _CODE), nn.ReLU())
        self.join = dense(channels + embedding + _CODE, width)
        known = embedding + channels + width
        self.entity = dense(known, pooled) if entities else None
        self.roles = dense(known, 2 * width)
        self.between = nn.Sequential(xavier(PAIR_GEOMETRY, width), nn.ReLU(), xavier(width, 2 * width), nn.ReLU())
        self.pair = dense(2 * width, pooled)
        self.union: nn.Module | None = None
        if union_channels is not None:
            # The released head has no projection where the widths agree.
            alike = config.released and union_channels == pooled
            self.union = nn.Identity() if alike else xavier(union_channels, pooled)

    def forward(self, inputs: GraphInputs) -> Represented:
        """Features of boxes and pairs."""
        assert inputs.features is not None
        regions, pairs, released = inputs.regions, inputs.pairs, self.config.released
        dtype = self.roles.weight.dtype
        features = self._even(inputs.features.to(dtype))
        shares = inputs.shares(self.classes)
        geometry = box_geometry(regions.boxes, regions.extents, 1 if released else 0).to(dtype)
        hidden = self.join(torch.cat([features, self.seeming.mixed(shares), self.place(geometry)], 1))
        known = torch.cat([self.label.named(regions.labels), features, hidden], 1)
        subject, thing = self.roles(known).chunk(2, 1)
        ends = [regions.boxes.index_select(0, side) for side in pairs.unbind(1)]
        between = self.between(pair_geometry(ends[0], ends[1], inputs.sizes, released=released).to(dtype))
        roles = torch.cat([subject.index_select(0, pairs[:, 0]), thing.index_select(0, pairs[:, 1])], 1)
        predicates = self.pair(roles * between).relu()
        if self.union is not None and inputs.unions is not None:
            predicates = predicates + self.union(self._even(inputs.unions.to(dtype)))
        entities = None if self.entity is None else self.entity(known).relu()
        return Represented(entities, predicates, geometry, shares)

    def _even(self, values: Tensor) -> Tensor:
        """Backbones differ by orders of magnitude in the scale of their outputs; one learning rate should serve all."""
        return values if self.config.released else layer_norm(values, values.shape[-1:])
