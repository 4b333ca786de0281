"""Fits: known boxes, the playground, the published energy, stop rules, what cannot be fitted."""

from __future__ import annotations

import pytest
import torch

from lichen.data.playground.solids import playground_solid
from lichen.data.playground.solids.config import SolidConfig
from lichen.errors import InputError
from lichen.solids import Cuboids, FitConfig, fit_cuboids, voxelise
from lichen.solids.energy import Turned, field_energy
from lichen.solids.polish import pruned, score
from lichen.solids.refine import published_refine
from lichen.solids.search import best_box, best_boxes
from lichen.solids.turns import about_axes


def boxes(*given: tuple[list[float], list[float], list[float]]) -> Cuboids:
    centre, size, turn = (torch.tensor(each, dtype=torch.float64) for each in zip(*given, strict=True))
    return Cuboids(centre, size, about_axes(turn))


def test_the_energy_is_the_published_sum() -> None:
    torch.manual_seed(0)
    weight = torch.randn(9, 9, 9, dtype=torch.float64)
    one = Turned(
        torch.tensor([[4.1, 3.7, 5.2], [-1.0, 4.0, 9.0]]).double(),
        torch.tensor([[3.0, 2.0, 5.0], [4.0, 1.0, 2.0]]).double(),
        torch.tensor([0.4, -0.7]).double(),
        torch.tensor([1, 2]),
    )
    steps = (torch.arange(3).double() + 0.5) / 3 - 0.5
    for number, cuboid in enumerate(one.cuboids().corners()):
        edges = cuboid[[1, 3, 4]] - cuboid[0]
        points = (cuboid[0] + cuboid[6]) / 2 + torch.cartesian_prod(steps, steps, steps) @ edges
        voxels = torch.cartesian_prod(*[torch.arange(9).double() + 0.5] * 3)
        field = torch.exp(-torch.cdist(points, voxels).square() / 4).clamp(max=0.9) @ weight.flatten()
        volume = float(one.size[number].prod())
        wanted = -volume / 27 * float(field.sum())
        assert float(field_energy(one, weight, points=3)[number]) == pytest.approx(wanted, rel=1e-9)


def test_the_best_box_is_the_best_of_all() -> None:
    torch.manual_seed(1)
    weight = torch.randn(4, 5, 3)
    best = max(
        float(weight[a:b, c:d, e:f].sum())
        for a in range(4)
        for b in range(a + 1, 5)
        for c in range(5)
        for d in range(c + 1, 6)
        for e in range(3)
        for f in range(e + 1, 4)
    )
    found, low, high = best_box(weight)
    assert found == pytest.approx(best, rel=1e-5)
    (a, c, e), (b, d, f) = low.long().tolist(), high.long().tolist()
    assert float(weight[a:b, c:d, e:f].sum()) == pytest.approx(best, rel=1e-5)


def test_a_single_voxel_is_found_wherever_it_lies() -> None:
    for place in range(0, 216, 5):
        weight = torch.full((216,), -2.0)
        weight[place] = 1.0
        found = best_boxes(weight.reshape(6, 6, 6), 40, -2.0)
        straight = found.angle == 0
        assert found.size[straight].tolist() == [[1.0, 1.0, 1.0]]
        assert (found.centre[straight][0] - 0.5).tolist() == [place // 36, place // 6 % 6, place % 6]


def test_one_turned_box_is_found_again() -> None:
    truth = boxes(([10.0, 9.5, 11.0], [9.0, 4.0, 13.0], [0.3, 0.0, 0.0]))
    fitted = fit_cuboids(voxelise(truth, 20), FitConfig(mirror="off"))
    assert len(fitted.half) == 1 and fitted.iou > 0.93
    assert float((fitted.half.centre - truth.centre).abs().max()) < 0.5
    assert float((fitted.half.size - truth.size).abs().max()) < 1.0
    assert abs(float(torch.linalg.matrix_norm(fitted.half.rotation - truth.rotation))) < 0.15


def test_a_symmetric_object_is_a_half_model() -> None:
    truth = boxes(
        ([10.0, 10.0, 12.0], [16.0, 12.0, 2.0], [0.0, 0.0, 0.0]),
        ([3.5, 5.5, 6.0], [3.0, 3.0, 10.0], [0.0, 0.0, 0.0]),
        ([16.5, 5.5, 6.0], [3.0, 3.0, 10.0], [0.0, 0.0, 0.0]),
    )
    fitted = fit_cuboids(voxelise(truth, 20))
    assert fitted.plane == (1.0, 0.0, 0.0, 10.0)
    assert (len(fitted.half), len(fitted.cuboids)) == (2, 3)
    assert fitted.iou == 1.0 and fitted.stopped == "covered" and fitted.left == 0.0
    alone = fit_cuboids(voxelise(truth, 20), FitConfig(mirror="off"))
    assert alone.plane is None and len(alone.half) == 3


def test_playground_furniture() -> None:
    found = []
    for number in (0, 1, 4, 5):
        sample = playground_solid(7, 4 * number, SolidConfig(size=16, voxels=20))
        found.append(fit_cuboids(torch.from_numpy(sample.voxels), FitConfig(steps=40)).iou)
    assert min(found) > 0.85 and sum(found) / len(found) > 0.93, found


def test_the_published_refinement_finds_a_box() -> None:
    truth = boxes(([8.0, 8.0, 8.0], [8.0, 5.0, 6.0], [0.0, 0.0, 0.0]))
    grid = voxelise(truth, 16)
    weight = torch.where(grid, 1.0, -1.0).double()
    start = Turned(truth.centre + 1.0, truth.size - 2.0, torch.zeros(1).double(), torch.zeros(1, dtype=torch.int64))
    box = published_refine(start, weight).cuboids()
    assert score(box, grid, None) > 0.7
    fitted = fit_cuboids(grid, FitConfig.published(mirror="off"))
    assert fitted.iou > 0.6 and len(fitted.half) <= 12


def test_stop_rules_and_redundant_parts() -> None:
    truth = boxes(
        ([4.0, 4.0, 4.0], [6.0, 6.0, 6.0], [0.0, 0.0, 0.0]), ([12.0, 12.0, 12.0], [4.0, 4.0, 4.0], [0.0, 0.0, 0.0])
    )
    grid = voxelise(truth, 16)
    first = fit_cuboids(grid, FitConfig(most=1))
    assert first.stopped == "most" and len(first.half) == 1 and first.left > 0.2
    specks = grid.clone()
    specks[15, 0, 0] = True
    assert fit_cuboids(specks, FitConfig(left=0.0, mirror="off")).stopped == "nothing more"
    twice = Cuboids.cat([truth, truth[:1]])
    assert len(pruned(twice, grid, None, 0.01)) == 2


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (torch.zeros(8, 8, 8, dtype=torch.bool), "none of its 512 voxels"),
        (torch.ones(8, 8, 8, dtype=torch.bool), "no empty voxel"),
        (torch.ones(8, 8, 9, dtype=torch.bool), "8 × 8 × 9"),
        (torch.ones(2, 2, 2, dtype=torch.bool), "at least 4"),
    ],
)
def test_what_cannot_be_fitted(grid: torch.Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit_cuboids(grid)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"most": 0}, "most must be at least 1"),
        ({"left": 1.0}, "left"),
        ({"energy": "feild"}, "field"),
        ({"polish": -1}, "polish"),
    ],
)
def test_settings_that_make_no_sense(settings: dict, words: str, unchecked: None) -> None:
    with pytest.raises(InputError, match=words):
        FitConfig(**settings)
