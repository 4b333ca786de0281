"""Objects are whole, symmetric, upright, in order, and in their normalised pose."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lichen.data.playground.dice import Dice
from lichen.data.playground.solids.designs import KINDS, PARTS, part_class
from lichen.data.playground.solids.furniture import BUILDERS, EDGE, MIRROR, Furniture, make_furniture, mirrored
from lichen.errors import InputError
from lichen.scene.geometry import complete, corners, reflected

from .geometry import pieces


@cache
def many() -> list[Furniture]:
    return [make_furniture(0, number, KINDS, 12) for number in range(60)]


def same_place(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether two sets of corners are equal, in any order."""
    return bool(np.abs(one[:, None] - two[None]).max(-1).min(1).max() < 1e-12)


def test_every_kind_and_style_occurs() -> None:
    assert set(BUILDERS) == set(KINDS) == {furniture.kind for furniture in many()}
    assert len({(furniture.kind, furniture.style) for furniture in many()}) >= 30


@pytest.mark.parametrize("kind", KINDS)
def test_parts_have_a_class_and_all_classes_occur(kind: str) -> None:
    found = set()
    for furniture in (make_furniture(5, number, (kind,), 12) for number in range(40)):
        assert furniture.kind == kind
        found |= {part_class(kind, solid.part or "") for solid in furniture.solids}
    assert found == set(range(len(PARTS[kind])))


def test_unknown_parts_and_kinds_are_refused() -> None:
    assert part_class("chair", "left front leg") == part_class("chair", "right back leg") == 2
    with pytest.raises(InputError, match="no part 'left front wheel'"):
        part_class("chair", "left front wheel")
    with pytest.raises(InputError, match="chair"):
        part_class("char", "seat")


def test_pose_is_normalised() -> None:
    for furniture in many():
        points = corners(furniture.solids).reshape(-1, 3)
        low, high = points.min(0), points.max(0)
        assert np.allclose((low + high) / 2, 0.5, atol=1e-4)
        assert (high - low).max() == pytest.approx(EDGE, abs=1e-4)
        assert 0.3 < furniture.metres < 3.0


def test_objects_stand_on_several_parts_or_one_broad_one() -> None:
    for furniture in many():
        points = corners(furniture.solids)
        floor = points[..., 2].min()
        standing = points[points[..., 2] < floor + 2e-3]
        spread = np.ptp(standing, axis=0)
        whole = np.ptp(points.reshape(-1, 3), axis=0)
        assert (spread[:2] > 0.3 * whole[:2]).all(), (furniture.kind, furniture.style)


def test_objects_are_in_one_piece() -> None:
    broken = [(f.kind, f.style) for f in many()[:48] if pieces(f.solids, 2e-3) != 1]
    assert not broken


def test_objects_are_their_own_reflection() -> None:
    for furniture in many():
        points = corners(furniture.solids)
        for place, partner in enumerate(furniture.partners):
            image = points[place] * np.array([-1.0, 1.0, 1.0]) + np.array([2 * MIRROR[3], 0.0, 0.0])
            assert same_place(image, points[partner])
            assert furniture.partners[partner] == place
            assert furniture.solids[place].mirror == MIRROR
            assert furniture.made_of[place] == furniture.made_of[partner]
        assert complete(furniture.solids) == furniture.solids


def test_reflections_are_exact_and_named() -> None:
    for furniture in many():
        for place, solid in enumerate(furniture.solids):
            other = furniture.solids[furniture.partners[place]]
            assert mirrored(mirrored(solid)) == solid
            assert reflected(solid).centre == other.centre and solid.size == other.size
            if furniture.partners[place] == place:
                assert "left" not in (solid.part or "") and "right" not in (solid.part or "")
            elif place < furniture.half:
                assert other.part == f"right {(solid.part or '').removeprefix('left ')}"


def test_half_model_comes_first_from_the_highest_to_the_lowest() -> None:
    for furniture in many():
        half = furniture.solids[: furniture.half]
        heights = [solid.centre[2] for solid in half]
        assert heights == sorted(heights, reverse=True)
        assert all(solid.centre[0] <= 0.5 for solid in half)
        rest = [furniture.partners[place] for place in range(furniture.half) if furniture.partners[place] != place]
        assert rest == list(range(furniture.half, len(furniture.solids)))


def test_parts_turn_about_one_axis_and_not_far() -> None:
    turned = 0
    for furniture in many():
        for solid in furniture.solids:
            matrix = np.array(solid.rotation).reshape(3, 3)
            fixed = [axis for axis in range(3) if matrix[axis, axis] == 1.0]
            assert fixed and matrix.diagonal().min() >= np.cos(np.pi / 4) - 1e-12
            turned += len(fixed) == 1
    assert turned > 60


def test_parts_that_the_plane_cuts_are_not_turned_out_of_it() -> None:
    for furniture in many():
        for place, solid in enumerate(furniture.solids):
            if furniture.partners[place] == place:
                assert solid.centre[0] == 0.5 and solid.rotation[0] == 1.0


def parts(furniture: Furniture) -> int:
    return furniture.half


def test_large_designs_are_drawn_again() -> None:
    small = [make_furniture(1, number, KINDS, 6) for number in range(120)]
    assert max(map(parts, small)) == 6 and max(map(parts, many())) > 9
    assert {furniture.kind for furniture in small} == set(KINDS)


def test_seed_and_number_decide() -> None:
    assert make_furniture(3, 4, KINDS, 12) == make_furniture(3, 4, KINDS, 12)
    others = {make_furniture(seed, number, ("chair",), 12).solids for seed in range(4) for number in range(4)}
    assert len(others) == 16


def test_no_two_objects_are_alike() -> None:
    assert len({furniture.solids for furniture in many()}) == len(many())


def test_builders_take_nothing_but_dice() -> None:
    for kind, build in BUILDERS.items():
        assert build(Dice(0, 0, 1)) == build(Dice(0, 0, 1))
        assert build(Dice(0, 0, 1)).kind == kind
