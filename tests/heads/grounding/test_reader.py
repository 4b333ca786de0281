"""What lies under boxes: maps and tokens alike, states side by side, and what cannot be looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.given import Given
from lichen.heads.grounding.reader import RegionReader
from lichen.regions import pool_regions

from .tiny import GIVEN, SIDE, WIDTH, features, regions


def test_the_mean_over_seven_by_seven_cells() -> None:
    boxes, given = regions(), features()
    found = RegionReader(GIVEN, standardise=False)(given, boxes)(boxes.boxes, boxes.picture)
    torch.testing.assert_close(found, pool_regions(given.final, boxes, 7).mean((2, 3)))
    plain = RegionReader(GIVEN)(given, boxes)(boxes.boxes, boxes.picture)
    torch.testing.assert_close(plain.mean(1), torch.zeros(len(boxes), dtype=torch.float64))


def test_tokens_are_the_map_of_their_patches() -> None:
    boxes, maps = regions(), features()
    tokens = maps.final.flatten(2).transpose(1, 2)
    with_summary = torch.cat([tokens[:, :1] * 9, tokens], 1)
    given = Features((with_summary,), with_summary, grid=(5, 5))
    reader = RegionReader(replace(GIVEN, kind="tokens"))
    found = reader(given, boxes)(boxes.boxes, boxes.picture)
    torch.testing.assert_close(found, RegionReader(GIVEN)(maps, boxes)(boxes.boxes, boxes.picture))
    with pytest.raises(InputError, match="patches lacks"):
        reader(replace(given, grid=(9, 9)), boxes)


def test_states_side_by_side_and_a_padded_canvas() -> None:
    boxes, maps = regions(), features()
    coarse = torch.nn.functional.avg_pool2d(maps.final, 5)
    both = Features((maps.final, coarse), coarse, grid=(1, 1), indices=(1, 3))
    reader = RegionReader(GIVEN, (1, 3), (WIDTH, WIDTH), standardise=False)
    assert reader.width == 2 * WIDTH
    found = reader(both, boxes)(boxes.boxes, boxes.picture)
    torch.testing.assert_close(found[:, WIDTH:], coarse[boxes.picture, :, 0, 0])
    canvas = torch.full((4, 2), 2.0 * SIDE)
    padded = RegionReader(GIVEN, standardise=False)(maps, boxes, canvas)(boxes.boxes, boxes.picture)
    torch.testing.assert_close(padded, pool_regions(maps.final, boxes, 1, canvas=canvas, sampling=14).flatten(1))


@pytest.mark.parametrize(
    ("given", "states", "widths", "message"),
    [
        (Given("tokens", 4), None, None, "its side network gives tokens of text"),
        (Given("vector", 4, modality="image"), None, None, "gives vector of pictures"),
        (GIVEN, (1, 2), (6,), "how wide each of the hidden states"),
        (GIVEN, (), (), "how wide each"),
        (replace(GIVEN, adapted=("final",)), (1,), (6,), "never be trained"),
    ],
)
def test_what_cannot_be_looked_at(given: Given, states: Any, widths: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RegionReader(given, states, widths)


def test_numbers_that_are_not_finite_and_other_pictures() -> None:
    boxes, maps = regions(), features()
    spoilt = maps.final.clone()
    spoilt[2, 0, 1, 1] = torch.nan
    with pytest.raises(InputError, match="picture 2 hold NaN"):
        RegionReader(GIVEN)(replace(maps, final=spoilt), boxes)
    with pytest.raises(InputError, match="Maps of 4 pictures with 6 channels"):
        RegionReader(GIVEN)(features(3), boxes)
