"""Features of boxes and pairs out of maps."""

from __future__ import annotations

import pytest
import torch

from lichen.errors import InputError
from lichen.heads.scene_graph import PoolingConfig, RegionFeatures, UnionFeatures
from lichen.regions import ordered_pairs

from .tiny import make_regions

SMALL = PoolingConfig(cells=2, width=6, reduced=4, masks=3, mask_side=9)


def maps_of(pictures: int, seed: int = 0) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(pictures, 5, side, side, generator=draw, dtype=torch.float64) for side in (8, 4)]


@pytest.mark.parametrize("released", [False, True])
def test_a_picture_does_not_depend_on_its_batch(released: bool) -> None:
    torch.manual_seed(0)
    regions, maps = make_regions([3, 0, 4]), maps_of(3)
    boxes = RegionFeatures((5, 5), SMALL, released=released).double().eval()
    unions = UnionFeatures((5, 5), SMALL, released=released).double().eval()
    pairs = ordered_pairs(regions)
    whole = boxes(maps, regions), unions(maps, regions, pairs)
    assert whole[0].shape == (7, 6) and whole[1].shape == (18, 6)
    alone = [each[2:] for each in maps]
    torch.testing.assert_close(boxes(alone, regions.of(2)), whole[0][3:])
    torch.testing.assert_close(unions(alone, regions.of(2), ordered_pairs(regions.of(2))), whole[1][6:])


def test_no_box_and_no_pair() -> None:
    regions, maps = make_regions([0, 1]), maps_of(2)
    assert UnionFeatures((5, 5), SMALL).double()(maps, regions, ordered_pairs(regions)).shape == (0, 6)
    assert RegionFeatures((5, 5), SMALL).double()(maps, make_regions([0, 0])).shape == (0, 6)


def test_union_features_see_which_box_is_the_subject() -> None:
    torch.manual_seed(0)
    regions, maps = make_regions([2]), maps_of(1)
    found = UnionFeatures((5, 5), SMALL).double()(maps, regions, torch.tensor([[0, 1], [1, 0]]))
    assert not torch.allclose(found[0], found[1])


def test_gradients_reach_all() -> None:
    torch.manual_seed(0)
    regions = make_regions([3, 2])
    maps = [each.requires_grad_() for each in maps_of(2)]
    layer = UnionFeatures((5, 5), SMALL).double()
    layer(maps, regions, ordered_pairs(regions)).square().sum().backward()
    assert all(each.grad is not None and bool(each.grad.any()) for each in [*layer.parameters(), *maps])


def test_sizes_are_checked() -> None:
    with pytest.raises(InputError, match="cells"):
        PoolingConfig(cells=0)
