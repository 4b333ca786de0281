"""Geometry of sets of cuboids against records, trimesh and definitions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.scene import Solid
from lichen.scene.geometry import complete, corners
from lichen.solids import Cuboids
from lichen.solids.turns import about_axes

from ..scene.strategies import solids

X = (1.0, 0.0, 0.0, 0.5)


@settings(max_examples=30, deadline=None)
@given(st.lists(solids(), min_size=1, max_size=3))
def test_records_and_back(found: list[Solid]) -> None:
    cuboids = Cuboids.of(found)
    back = cuboids.to_solids(
        [each.part for each in found], [each.score for each in found], [each.mirror for each in found]
    )
    assert [each.centre for each in back] == [each.centre for each in found]
    # The same corners as the records', in the order of the published metrics.
    same = torch.from_numpy(corners(found))[:, [0, 1, 3, 2, 4, 5, 7, 6]]
    torch.testing.assert_close(cuboids.corners(), same, rtol=1e-9, atol=1e-9)


def test_corner_6_is_opposite_to_corner_0() -> None:
    size = torch.tensor([[2.0, 3.0, 6.0]])
    points = Cuboids(torch.zeros(1, 3), size, about_axes(torch.tensor([[0.3, 0.2, 0.1]]))).corners()[0]
    assert float((points[6] - points[0]).norm()) == pytest.approx(7.0, abs=1e-5)


def test_what_a_turned_cuboid_holds() -> None:
    # A quarter turn about z: the own x axis points along the world's y axis.
    quarter = about_axes(torch.tensor([[0.0, 0.0, torch.pi / 2]]))
    cuboid = Cuboids(torch.zeros(1, 3), torch.tensor([[4.0, 2.0, 2.0]]), quarter)
    points = torch.tensor([[0.0, 1.9, 0.0], [1.9, 0.0, 0.0], [0.0, 0.0, 0.9], [0.0, 2.2, 0.0]])
    assert cuboid.contains(points).tolist() == [[True, False, True, False]]
    assert cuboid.contains(points, 0.3).tolist() == [[True, False, True, True]]
    assert cuboid.volume().tolist() == [16.0]


def test_reflections_are_those_of_records() -> None:
    one = Solid(
        (0.2, 0.4, 0.5),
        (0.1, 0.2, 0.3),
        tuple(about_axes(torch.tensor([0.0, 0.4, 0.0]).double()).flatten().tolist()),
        mirror=X,
    )
    own = Solid((0.5, 0.4, 0.5), (0.1, 0.2, 0.3), mirror=X)
    whole = Cuboids.of([one, own]).completed(X)
    wanted = Cuboids.of(complete([one, own]))
    assert len(whole) == len(wanted) == 3
    torch.testing.assert_close(whole.corners(), wanted.corners())
    torch.testing.assert_close(whole.completed(X).corners(), whole.corners())


def test_gradients_of_turns_are_finite_at_none() -> None:
    turn = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(about_axes, (turn,))
    far = torch.tensor([[0.3, -0.2, 0.9]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(about_axes, (far,))
    turned = about_axes(far.detach())
    torch.testing.assert_close(turned.mT @ turned, torch.eye(3).double()[None])


@pytest.mark.parametrize(
    ("size", "rotation", "words"),
    [
        ([1.0, -1.0, 1.0], torch.eye(3), "lengths are not negative"),
        ([1.0, float("nan"), 1.0], torch.eye(3), "not finite"),
        ([1.0, 1.0, 1.0], torch.diag(torch.tensor([-1.0, 1.0, 1.0])), "right-handed"),
        ([1.0, 1.0, 1.0], torch.ones(3, 3), "right angles"),
    ],
)
def test_what_is_no_cuboid(size: list[float], rotation: torch.Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Cuboids(torch.zeros(1, 3), torch.tensor([size]), rotation[None]).checked()
