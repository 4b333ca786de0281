"""What the networks read off features: pictures, boxes, unions, places."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.given import Given
from lichen.heads.grounding.reader import RegionReader
from lichen.heads.hoi import HOIReader, human_pairs
from lichen.regions import Regions
from lichen.regions.pairs import union_regions
from lichen.regions.spatial import pair_encoding

from .tiny import OBJECTS, PEOPLE

MAPS = Given("maps", 6, modality="image")
REGIONS = Regions.make(
    [[0.0, 0, 20, 30], [10, 5, 50, 20], [3, 3, 33, 40]],
    [(60.0, 40.0), (50.0, 50.0)],
    picture=[0, 0, 1],
    labels=[0, 1, 0],
)
PAIRS = human_pairs(REGIONS, PEOPLE)


def features(seed: int = 0) -> Features:
    maps = torch.randn(2, 6, 4, 4, generator=torch.Generator().manual_seed(seed))
    return Features((maps,), maps, grid=(4, 4), pooled=maps[:, :5, 0, 0], indices=(1,))


def test_boxes_unions_and_places() -> None:
    reader = HOIReader(MAPS)
    found = reader(features(), REGIONS, PAIRS, OBJECTS)
    assert reader.widths == (6, 6)
    look = RegionReader(MAPS)(features(), REGIONS)
    assert torch.equal(found.boxes, look(REGIONS.boxes, REGIONS.picture))
    union = torch.tensor([[0.0, 0, 50, 30]])
    assert torch.equal(union_regions(REGIONS, PAIRS).boxes, union)
    assert torch.equal(found.unions, look(union, torch.tensor([0])))
    one, two = REGIONS.boxes[:1], REGIONS.boxes[1:2]
    assert torch.equal(found.places, pair_encoding(one, two, torch.tensor([[60.0, 40.0]])))
    assert found.compatible.tolist() == [[True, True, False, False, False]] and found.pictures == 2
    torch.testing.assert_close(found.image, features().final.mean((2, 3)))
    assert not list(reader.parameters())


def test_of_two_towers_the_joint_vector_is_the_picture() -> None:
    """Also where a side network changes nothing but the patches: it learns through the boxes."""
    joint = replace(MAPS, pooled=5, projected=True)
    for given in (joint, replace(joint, adapted=("final",))):
        reader = HOIReader(given)
        assert reader.widths == (5, 6)
        pooled = features().pooled
        assert pooled is not None and torch.equal(reader(features(), REGIONS, PAIRS, OBJECTS).image, pooled)


def test_no_boxes_and_no_pairs() -> None:
    none = Regions.make([], [(60.0, 40.0), (50.0, 50.0)], picture=[])
    found = HOIReader(MAPS)(features(), none, torch.zeros(0, 2, dtype=torch.long), OBJECTS)
    assert (len(found.boxes), len(found.unions), found.places.shape) == (0, 0, (0, 36))
    assert found.image.shape == (2, 6)


def test_features_in_which_nothing_lies_anywhere() -> None:
    with pytest.raises(InputError, match="changes only the pooled output"):
        HOIReader(replace(MAPS, pooled=5, adapted=("pooled",)))
    with pytest.raises(InputError, match="the map or the patches of a picture"):
        HOIReader(Given("tokens", 6, modality="text"))
    bad = features()
    bad.final[1, 0, 0, 0] = torch.nan
    with pytest.raises(InputError, match="features of picture 1 hold NaN"):
        HOIReader(MAPS)(bad, REGIONS, PAIRS, OBJECTS)
