"""Features of boxes and of the boxes around pairs, out of the maps that a backbone leaves.

The union feature also sees where the two boxes lie, as two masks on a small square that stands for the whole picture.
Source: graphs.md 1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ...errors import InputError
from ...regions.levels import pool_all
from ...regions.pairs import union_regions
from ...regions.regions import Regions
from ...regions.spatial import pair_masks
from .layers import dense

Maps = Sequence[Float[Tensor, "pictures _ _ _"]]


@dataclass(frozen=True)
class PoolingConfig:
    """What is taken of a map under a box.

    Raises:
        InputError: a number below 1.
    """

    cells: int = 3
    """Rows and columns of the grid under a box; 7 in the release."""
    sampling: int = 2
    """Points a cell and axis."""
    width: int = 256
    """Of the features; 4096 in the release."""
    reduced: int = 64
    """Channels of the maps under a union, before they are flattened; 256 in the release."""
    masks: int = 32
    """Channels of the first layer that reads the masks; 128 in the release."""
    mask_side: int = 27
    """Rows and columns of the masks."""

    def __post_init__(self) -> None:
        for name in ("cells", "sampling", "width", "reduced", "masks", "mask_side"):
            if getattr(self, name) < 1:
                raise InputError(f"PoolingConfig.{name} must be at least 1; got {getattr(self, name)}.")


class RegionFeatures(nn.Module):
    """What the maps show in each box: ROIAlign, then two linear layers, each with a ReLU.

    Args:
        channels: of each map, fine to coarse.
        config: see `PoolingConfig`.
        released: pool with the older form of ROIAlign, as in the release.
    """

    def __init__(
        self, channels: Sequence[int], config: PoolingConfig = PoolingConfig(), *, released: bool = False
    ) -> None:
        super().__init__()
        self.config, self.aligned = config, not released
        self.layers = Perceptron(sum(channels) * config.cells**2, config.width)

    def forward(
        self, maps: Maps, regions: Regions, canvas: Float[Tensor, "pictures 2"] | None = None
    ) -> Float[Tensor, "boxes width"]:
        """One vector a box.

        Args:
            maps: of the regions' pictures.
            canvas: what of the pictures the maps cover, see `regions.pool_regions`.
        """
        pooled = _pooled(maps, regions, self.config, canvas, self.aligned)
        return self.layers(pooled.flatten(1).to(self.layers.first.weight.dtype))


class UnionFeatures(nn.Module):
    """What the maps show in the box around each pair, and where in the picture the two lie.

    Args:
        channels: of each map, fine to coarse.
        config: see `PoolingConfig`.
        released: the older form of ROIAlign, and batch norms between the layers that read the masks, as in the
            release. Otherwise these are group norms, so that an answer does not depend on the other pictures.
    """

    def __init__(
        self, channels: Sequence[int], config: PoolingConfig = PoolingConfig(), *, released: bool = False
    ) -> None:
        super().__init__()
        self.config, self.aligned = config, not released

        def norm(width: int) -> nn.Module:
            return nn.BatchNorm2d(width, momentum=0.01) if released else nn.GroupNorm(1, width)

        self.reduce = nn.Sequential(nn.Conv2d(sum(channels), config.reduced, 3, padding=1), nn.ReLU())
        self.places = nn.Sequential(
            nn.Conv2d(2, config.masks, 7, stride=2, padding=3),
            nn.ReLU(),
            norm(config.masks),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Conv2d(config.masks, config.reduced, 3, padding=1),
            nn.ReLU(),
            norm(config.reduced),
        )
        self.layers = Perceptron(config.reduced * config.cells**2, config.width)

    def forward(
        self,
        maps: Maps,
        regions: Regions,
        pairs: Int[Tensor, "pairs 2"],
        canvas: Float[Tensor, "pictures 2"] | None = None,
    ) -> Float[Tensor, "pairs width"]:
        """One vector a pair.

        Args:
            maps: of the regions' pictures.
            pairs: rows of the regions; pairs of a picture lie together, in the order of the pictures.
            canvas: what of the pictures the maps cover, see `regions.pool_regions`.
        """
        dtype = self.layers.first.weight.dtype
        if not len(pairs):
            return self.layers.first.weight.new_zeros(0, self.config.width)
        unions = union_regions(regions, pairs)
        pooled = _pooled(maps, unions, self.config, canvas, self.aligned)
        ends = [regions.boxes.index_select(0, side) for side in pairs.unbind(1)]
        masks = pair_masks(ends[0], ends[1], unions.extents, self.config.mask_side).to(dtype)
        places = adaptive_avg_pool2d(self.places(masks), self.config.cells)
        return self.layers((self.reduce(pooled.to(dtype)) + places).flatten(1))


def _pooled(
    maps: Maps, regions: Regions, config: PoolingConfig, canvas: Tensor | None, aligned: bool
) -> Float[Tensor, "boxes channels cells cells"]:
    return pool_all(maps, regions, config.cells, canvas=canvas, sampling=config.sampling, aligned=aligned)


class Perceptron(nn.Module):
    """Two linear layers, each with a ReLU: fc6 and fc7 of a detector."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.first, self.second = dense(width, out), dense(out, out)

    def forward(self, x: Float[Tensor, "rows width"]) -> Float[Tensor, "rows out"]:
        return self.second(self.first(x).relu()).relu()
