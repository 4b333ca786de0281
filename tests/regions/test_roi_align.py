"""ROIAlign equals the slow form and released code, and has the gradient it should."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import conv2d

from lichen.errors import InputError
from lichen.regions import Regions, choose_level, pool_all, pool_chosen, pool_regions, roi_align

from . import naive
from .naive import GOLDEN, double, random_boxes

ZERO = torch.zeros(1, dtype=torch.long)


def wave(position: int, shape: list[int]) -> Tensor:
    """The fill rule of the golden files."""
    k = torch.arange(int(torch.tensor(shape).prod()))
    return (0.3 * (1.3 * position + 0.7 * k.double() + 0.1 + 0.9 * (k * k % 101).double()).sin()).reshape(shape)


def test_ramp_by_hand() -> None:
    """On 5 * y + x every point is known: with `aligned` it lies half a cell further up and left."""
    maps, box = torch.arange(25.0).view(1, 1, 5, 5), torch.tensor([[1.0, 1, 3, 3]])
    old = roi_align(maps, box, ZERO, 4, sampling=0, aligned=False)[0, 0]
    expected = 5 * torch.arange(1.25, 3, 0.5)[:, None] + torch.arange(1.25, 3, 0.5)
    torch.testing.assert_close(old, expected)
    torch.testing.assert_close(roi_align(maps, box, ZERO, 4, sampling=0)[0, 0], expected - 3)


def test_released_code_of_primitive_graph_networks() -> None:
    """Seven by seven windows of the old form, with coordinate maps, under a convolution."""
    golden = GOLDEN["roi_align"]
    features = torch.cos(0.9 * 60 + 0.37 * torch.arange(2 * 6 * 12 * 12, dtype=torch.float64)).view(2, 6, 12, 12)
    index = torch.arange(12, dtype=torch.float64)
    x, y = index.expand(2, 1, 12, 12), index[:, None].expand(2, 1, 12, 12)
    maps = torch.cat([features, x, y], 1)
    weight, bias = (wave(golden[n]["position"], golden[n]["shape"]) * golden[n]["scale"] for n in ("weight", "bias"))
    worst = 0.0
    for step in golden["steps"]:
        box = double([step["box_as_fractions"]]) * golden["image"]
        window = roi_align(maps, box, torch.tensor([step["sample"]]), 7, scale=0.25, aligned=False)
        centre = (box[:, :2] + box[:, 2:]) / 2 * 0.25
        window[:, 6:] -= (centre.flip(1) if step["swapped_centres"] else centre)[:, :, None, None]
        difference = conv2d(window, weight, bias).flatten() - double(step["code"])
        worst = max(worst, float(difference.abs().max()))
    print(f"ROIAlign: largest difference from released code {worst:.1e} over {len(golden['steps'])} windows")
    assert len(golden["steps"]) == 12 and worst <= 1e-8


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cells=st.sampled_from([1, 2, 3, 7]),
    sampling=st.integers(0, 3),
    aligned=st.booleans(),
    scale=st.sampled_from([0.05, 0.25, 0.5, 1.0]),
)
def test_slow_form(seed: int, cells: int, sampling: int, aligned: bool, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(2, 2, 5, 8, generator=generator, dtype=torch.float64)
    # Larger than the map, small, and partly outside of it on all sides.
    boxes = random_boxes(4, seed, side=9 / scale) - 2 / scale
    picture = torch.tensor([0, 0, 1, 1])
    found = roi_align(maps, boxes, picture, cells, scale=scale, sampling=sampling, aligned=aligned)
    for row, box in enumerate(boxes.tolist()):
        expected = naive.roi_align(maps, box, int(picture[row]), cells, scale, sampling, aligned)
        torch.testing.assert_close(found[row], expected, rtol=0, atol=1e-12)
    single = roi_align(maps.float(), boxes.float(), picture, cells, scale=scale, sampling=sampling, aligned=aligned)
    if sampling:  # A point more or less, where a size is rounded up, is no error of rounding.
        torch.testing.assert_close(single.double(), found, rtol=0, atol=2e-5)


@settings(max_examples=30, deadline=None)
@given(value=st.floats(-5, 5), seed=st.integers(0, 1000), sampling=st.integers(0, 3), aligned=st.booleans())
def test_a_constant_map_stays_constant(value: float, seed: int, sampling: int, aligned: bool) -> None:
    maps = torch.full((1, 3, 10, 10), value, dtype=torch.float64)
    boxes = random_boxes(5, seed, side=10.0)
    pooled = roi_align(maps, boxes, torch.zeros(5, dtype=torch.long), 7, sampling=sampling, aligned=aligned)
    torch.testing.assert_close(pooled, torch.full_like(pooled, value), rtol=0, atol=1e-12)


def test_whole_cells_are_their_means() -> None:
    """With points on the centres of cells a pooled cell is the mean of those it covers."""
    maps = torch.randn(1, 2, 8, 8, dtype=torch.float64)
    pooled = roi_align(maps, double([[0, 0, 8, 8]]), ZERO, 4, sampling=2)[0]
    torch.testing.assert_close(pooled, maps[0].view(2, 4, 2, 4, 2).mean((2, 4)))


def test_one_cell_with_all_points_is_the_mean() -> None:
    maps, boxes = torch.randn(1, 3, 9, 9, dtype=torch.float64), random_boxes(6, side=9.0)
    picture = torch.zeros(6, dtype=torch.long)
    grid = roi_align(maps, boxes, picture, 7).mean((2, 3))
    torch.testing.assert_close(roi_align(maps, boxes, picture, 1, sampling=14)[:, :, 0, 0], grid)


def test_gradients() -> None:
    maps = torch.randn(2, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    boxes = random_boxes(3, 5, side=4.5).requires_grad_()
    picture = torch.tensor([0, 1, 1])
    for sampling, aligned in ((2, True), (2, False), (0, True)):
        assert torch.autograd.gradcheck(
            lambda m, s=sampling, a=aligned: roi_align(m, boxes.detach(), picture, 2, sampling=s, aligned=a), (maps,)
        )
    assert torch.autograd.gradcheck(
        lambda m, b: roi_align(m, b, picture, (2, 3), through_boxes=True), (maps, boxes), eps=1e-7
    )
    roi_align(maps, boxes, picture, 2).sum().backward()
    assert boxes.grad is None, "in the published operation boxes have no gradient"


def test_half_precision_is_summed_in_single() -> None:
    maps, boxes = torch.randn(1, 4, 6, 6), random_boxes(3, side=6.0, dtype=torch.float32)
    picture = torch.zeros(3, dtype=torch.long)
    for kind, tolerance in ((torch.float16, 2e-3), (torch.bfloat16, 2e-2)):
        pooled = roi_align(maps.to(kind), boxes, picture, 3)
        assert pooled.dtype == kind
        torch.testing.assert_close(pooled.float(), roi_align(maps, boxes, picture, 3), rtol=0, atol=tolerance)


def test_boxes_are_pooled_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import import_module

    maps, boxes = torch.randn(1, 2, 6, 6), random_boxes(9, side=6.0, dtype=torch.float32)
    picture = torch.zeros(9, dtype=torch.long)
    whole = roi_align(maps, boxes, picture, 3)
    monkeypatch.setattr(import_module("lichen.regions.roi_align"), "_TAPS", 300)
    torch.testing.assert_close(roi_align(maps, boxes, picture, 3), whole, rtol=0, atol=0)


def test_no_boxes_and_bad_input() -> None:
    maps = torch.randn(2, 3, 4, 4)
    assert roi_align(maps, torch.zeros(0, 4), ZERO[:0], 7).shape == (0, 3, 7, 7)
    with pytest.raises(InputError, match="picture 2, but there are 2 maps"):
        roi_align(maps, random_boxes(1, dtype=torch.float32), torch.tensor([2]), 7)
    with pytest.raises(InputError, match="size of at least 1"):
        roi_align(maps, random_boxes(1, dtype=torch.float32), ZERO, 0)
    with pytest.raises(InputError, match="2 maps for 1 pictures"):
        pool_regions(maps, Regions.make([[0, 0, 5, 5]], [(10, 10)]))


def test_regions_are_scaled_by_their_own_picture() -> None:
    """Two pictures of other sizes and shapes on equal maps, as a backbone with input of one size leaves them."""
    maps = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    shares = double([[0.1, 0.2, 0.6, 0.9], [0.3, 0.0, 1.0, 0.5]])
    sizes = double([[640, 480], [100, 300]])
    regions = Regions.make(shares * torch.cat([sizes, sizes], 1), sizes, picture=[0, 1])
    cells = double([8, 6, 8, 6])
    direct = roi_align(maps, shares * cells, torch.tensor([0, 1]), 3)
    torch.testing.assert_close(pool_regions(maps, regions, 3), direct)
    # The second picture is padded below to a square of 300: its map covers three times its width.
    padded = pool_regions(maps, regions, 3, canvas=double([[640, 480], [300, 300]]))
    torch.testing.assert_close(padded[0], direct[0])
    narrow = shares[1:] * cells * double([1 / 3, 1, 1 / 3, 1])
    torch.testing.assert_close(padded[1:], roi_align(maps, narrow, torch.tensor([1]), 3))


def test_levels_follow_the_size_of_a_box() -> None:
    sides = double([10, 111, 112, 223, 224, 447, 448, 5000])
    boxes = torch.stack([torch.zeros(8), torch.zeros(8), sides, sides], 1).double()
    assert choose_level(boxes, 4).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert choose_level(boxes - double([0, 0, 1, 1]), 4, offset=1).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_pyramids() -> None:
    torch.manual_seed(0)
    maps = [torch.randn(2, 3, side, side, dtype=torch.float64, requires_grad=True) for side in (64, 32, 16, 8)]
    boxes = double([[5, 5, 40, 40], [10, 10, 250, 240], [0, 0, 120, 130]])
    regions = Regions.make(boxes, [(256, 256)] * 2, picture=[0, 0, 1])
    level = choose_level(regions.boxes, 4)
    assert level.tolist() == [0, 2, 1]
    pooled = pool_chosen(maps, regions, level, 7)
    for row, number in enumerate(level.tolist()):
        alone = roi_align(
            maps[number], boxes[row : row + 1], regions.picture[row : row + 1], 7, scale=maps[number].shape[2] / 256
        )
        torch.testing.assert_close(pooled[row : row + 1], alone)
    every = pool_all(maps, regions, 7)
    assert every.shape == (3, 12, 7, 7)
    torch.testing.assert_close(every[1, 6:9], pooled[1])
    pooled.sum().backward()
    assert [bool(m.grad is not None and m.grad.abs().sum() > 0) for m in maps] == [True, True, True, False]
    with pytest.raises(InputError, match="at least one map"):
        pool_all([], regions)
