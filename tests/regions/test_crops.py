"""Crops in black squares and resampled ones: the right pixels, undistorted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from lichen.errors import InputError
from lichen.regions.crops import resampled_crops, square_crops

PIXELS = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3) + 1


def test_a_crop_stands_in_the_middle_of_a_black_square() -> None:
    wide, tall, edge = square_crops(Image.fromarray(PIXELS), [[1, 2, 7, 4], [2.4, 0.9, 3.1, 4.2], [-3, 4.5, 2, 99]])
    assert wide.size == (6, 6)
    shown = np.array(wide)
    np.testing.assert_array_equal(shown[2:4], PIXELS[2:4, 1:7])
    assert not shown[:2].any() and not shown[4:].any()
    # Corners are rounded outwards.
    np.testing.assert_array_equal(np.array(tall)[:, 1:3], PIXELS[0:5, 2:4][:, :2])
    assert tall.size == (5, 5) and not np.array(tall)[:, [0, 3, 4]].any()
    np.testing.assert_array_equal(np.array(edge), PIXELS[4:6, 0:2])


def test_grey_pictures_become_coloured() -> None:
    (crop,) = square_crops(Image.new("L", (4, 4), 9), [[0, 0, 4, 4]])
    assert crop.mode == "RGB" and crop.getpixel((0, 0)) == (9, 9, 9)
    assert square_crops(Image.new("RGB", (4, 4)), []) == []


@pytest.mark.parametrize("box", [[8, 0, 9, 3], [3, 3, 3, 3], [0, 0, float("nan"), 3], [5, 5, 2, 2]])
def test_boxes_that_cover_nothing_are_refused(box: list[float]) -> None:
    with pytest.raises(InputError, match=r"Box 0, .* covers nothing of a picture of 8 x 6"):
        square_crops(Image.fromarray(PIXELS), [box])


def test_a_resampled_crop_is_the_square_around_the_box() -> None:
    ramp = torch.arange(100.0).expand(3, 100, 100)
    # 20 wide, 10 high around (50, 30), no margin: columns 40 to 60 stretched over 10 pixels.
    found = resampled_crops(ramp, torch.tensor([[40.0, 25.0, 60.0, 35.0]]), 10, margin=0.0)
    assert found.shape == (1, 3, 10, 10)
    values = found[0, 0, 0]
    torch.testing.assert_close(values, 40 + 2 * torch.arange(10) + 0.5, atol=1e-3, rtol=0)
    # And in the other direction: rows 20 to 40.
    turned = resampled_crops(ramp.transpose(1, 2), torch.tensor([[40.0, 25.0, 60.0, 35.0]]), 10, margin=0.0)
    torch.testing.assert_close(turned[0, 2, :, 4], 20 + 2 * torch.arange(10) + 0.5, atol=1e-3, rtol=0)


def test_many_resampled_crops_are_those_one_by_one() -> None:
    pixels = torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[3.0, 5.0, 40.0, 20.0], [0.0, 0.0, 64.0, 48.0], [60.0, 40.0, 64.0, 48.0]])
    found = resampled_crops(pixels, boxes, 16)
    torch.testing.assert_close(found, torch.cat([resampled_crops(pixels, box[None], 16) for box in boxes]))
    assert resampled_crops(pixels, boxes[:0], 16).shape == (0, 3, 16, 16)


def test_beyond_the_picture_its_edge_is_repeated() -> None:
    pixels = torch.arange(8.0).expand(3, 8, 8)
    found = resampled_crops(pixels, torch.tensor([[6.0, 2.0, 8.0, 4.0]]), 4, margin=1.0)
    torch.testing.assert_close(found[0, 0, 0], torch.tensor([4.25, 5.75, 7.0, 7.0]))
