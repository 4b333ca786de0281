"""Spatial encodings equal released code, and mean what they say."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.regions import box_geometry, pair_encoding, pair_geometry, pair_masks

from .naive import GOLDEN, double, iou, random_boxes

SIZE = double([[100, 80]])


def test_released_geometry() -> None:
    for example in GOLDEN["geometry"]["examples"]:
        a, b, size = (double([example[name]]) for name in ("box_a", "box_b", "size_wh"))
        for found, name in (
            (box_geometry(a, size), "geo9_a"),
            (box_geometry(b, size), "geo9_b"),
            (pair_geometry(a, b, size), "pair32_ab"),
            (pair_geometry(b, a, size), "pair32_ba"),
        ):
            torch.testing.assert_close(found, double([example[name]]), rtol=0, atol=1e-8)


def test_geometry_without_the_extra_pixel() -> None:
    box = double([[10, 20, 40, 60]])
    expected = double([[0.3, 0.5, 0.25, 0.5, 0.1, 0.25, 0.4, 0.75, 0.15]])
    torch.testing.assert_close(box_geometry(box, SIZE, offset=0), expected)
    pair = pair_geometry(box, double([[30, 0, 60, 40]]), SIZE, released=False).view(4, 8)
    torch.testing.assert_close(pair[2], double([0.1, 0, 0.6, 0.6, 0.35, 0.3, 0.5, 0.6]))
    torch.testing.assert_close(pair[3], double([0.3, 0.2, 0.4, 0.4, 0.35, 0.3, 0.1, 0.2]))


def test_boxes_that_touch_still_meet() -> None:
    first, touching, apart = double([[0, 0, 10, 10]]), double([[10, 0, 20, 10]]), double([[10.1, 0, 20, 10]])
    assert pair_geometry(first, touching, SIZE)[0, 24:].abs().sum() > 0
    assert (pair_geometry(first, apart, SIZE)[0, 24:] == 0).all()


def test_encoding_by_hand() -> None:
    human, thing = double([[10, 20, 30, 60]]), double([[40, 30, 50, 40]])
    found = pair_encoding(human, thing, SIZE)[0]
    plain = [0.2, 0.5, 0.45, 0.4375, 0.2, 0.5, 0.1, 0.125, 0.1, 0.0125, 0.125, 0.5, 1, 0, 1.25, 0, 0, 0.125]
    torch.testing.assert_close(found[:18], double(plain), rtol=0, atol=1e-9)
    torch.testing.assert_close(found[18:], double([math.log(value + 1e-10) for value in plain]), rtol=0, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999))
def test_encoding_properties(seed: int) -> None:
    human, thing = random_boxes(6, seed), random_boxes(6, seed + 1)
    found = pair_encoding(human, thing, SIZE)
    for row in range(6):
        assert abs(float(found[row, 13]) - iou(human[row].tolist(), thing[row].tolist())) < 1e-12
    # The object is on one side only, left or right, above or below.
    assert (found[:, 14] * found[:, 15] == 0).all() and (found[:, 16] * found[:, 17] == 0).all()
    # A mirrored picture swaps right and left and changes centres; all else stays.
    swapped = [torch.stack([100 - b[:, 2], b[:, 1], 100 - b[:, 0], b[:, 3]], 1) for b in (human, thing)]
    mirrored = pair_encoding(swapped[0], swapped[1], SIZE)
    torch.testing.assert_close(mirrored[:, [14, 15]], found[:, [15, 14]])
    same = [1, 3, *range(4, 14), 16, 17]
    torch.testing.assert_close(mirrored[:, same], found[:, same])
    # A picture twice as large gives the same numbers.
    torch.testing.assert_close(pair_encoding(human * 2, thing * 2, SIZE * 2), found, rtol=0, atol=1e-6)
    assert found.isfinite().all()


def test_masks_by_hand() -> None:
    """Cells from floor to ceil, both included, on a square that stands for the whole picture."""
    masks = pair_masks(double([[10, 0, 30, 40]]), double([[0, 79, 100, 80]]), SIZE, side=10)[0]
    assert masks.shape == (2, 10, 10) and set(masks.unique().tolist()) == {0, 1}
    rows, columns = masks[0].any(1).nonzero()[:, 0].tolist(), masks[0].any(0).nonzero()[:, 0].tolist()
    assert (rows[0], rows[-1]) == (0, 5) and (columns[0], columns[-1]) == (1, 3)
    assert masks[0].sum() == 6 * 3
    assert masks[1].any(1).nonzero()[:, 0].tolist() == [9] and masks[1].sum() == 10
