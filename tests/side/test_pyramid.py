"""A pyramid is the sum of enlarged stages; it is refused where it makes no sense."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import interpolate

import lichen
from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.side.base import Layout
from lichen.side.config import PyramidConfig
from lichen.side.pyramid import Pyramid
from lichen.testing import check_side

from ..families import make_model

LAYOUT = Layout((4, 6, 8), 8, kind="maps")


def test_the_finest_map_of_the_published_pyramid() -> None:
    torch.manual_seed(0)
    side = Pyramid(PyramidConfig(width=5), LAYOUT)
    states = (torch.randn(2, 4, 12, 12), torch.randn(2, 6, 6, 6), torch.randn(2, 8, 3, 3))
    found = side(Features(states, states[-1], grid=(3, 3), indices=(1, 2, 3), pooled=torch.ones(2, 7)))
    low, middle, high = (layer(state) for layer, state in zip(side.lateral, states, strict=True))
    middle = middle + interpolate(high, size=(6, 6), mode="bilinear", align_corners=False)
    low = low + interpolate(middle, size=(12, 12), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found.final, side.smooth(low))
    assert found.grid == (12, 12) and found.pooled is not None and torch.equal(found.pooled, torch.ones(2, 7))


def test_it_is_a_side_network() -> None:
    check_side(Pyramid, PyramidConfig(width=5), LAYOUT, width=5)


def test_where_it_makes_no_sense() -> None:
    with pytest.raises(InputError, match="gives tokens"):
        Pyramid(PyramidConfig(), Layout((8, 8), 8))
    with pytest.raises(InputError, match="with attach"):
        lichen.attach(make_model("image", "resnet"), PyramidConfig())
    with pytest.raises(InputError, match=r"width must be a whole number"):
        PyramidConfig(width=0)
