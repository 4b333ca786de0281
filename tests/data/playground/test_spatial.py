"""Next to, behind, in front of: from geometry alone."""

from __future__ import annotations

import pytest

from lichen.data.playground.cast import Group, Member
from lichen.data.playground.compose import Shown
from lichen.data.playground.drawing.colours import Look
from lichen.data.playground.layout import Placed
from lichen.data.playground.spatial import spatial_relations

LOOK = Look("red", (200, 0, 0), (255, 255, 255))


def shown(label: str, left: float, right: float, ground: float, stands: bool = True, tall: float = 40.0) -> Shown:
    """Something in a picture of 100 pixels, whose ground is at a share of its height."""
    member = Member(label, LOOK, stands=stands)
    group = Group([member], [], lambda pens: None, -0.2, 0.2, 1.0)
    box = (left, 100 * ground - tall, right, 100 * ground)
    return Shown(member, box, box, 0.0, Placed(group, 0, 0.5, ground, 0.5, 1, pixels=100.0))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (shown("dog", 10.0, 30.0, 0.8), shown("man", 35.0, 50.0, 0.8), (1, "next to", 0)),
        (shown("man", 35.0, 50.0, 0.8), shown("woman", 10.0, 30.0, 0.82), (1, "next to", 0)),
        (shown("man", 10.0, 30.0, 0.8), shown("dog", 60.0, 80.0, 0.8), None),
        (shown("man", 10.0, 30.0, 0.7), shown("dog", 35.0, 50.0, 0.9), None),
        (shown("man", 10.0, 30.0, 0.7), shown("dog", 12.0, 32.0, 0.8), (0, "behind", 1)),
        (shown("man", 10.0, 30.0, 0.8), shown("dog", 12.0, 32.0, 0.7), (0, "in front of", 1)),
        (shown("man", 10.0, 30.0, 0.8), shown("woman", 12.0, 32.0, 0.7), (1, "behind", 0)),
        (shown("car", 10.0, 30.0, 0.8), shown("tree", 12.0, 32.0, 0.81), None),
        (shown("man", 10.0, 30.0, 0.7), shown("hat", 12.0, 32.0, 0.8, stands=False), None),
        (shown("man", 10.0, 30.0, 0.5, tall=20.0), shown("dog", 12.0, 32.0, 0.9, tall=20.0), None),
    ],
)
def test_relations_of_two(first: Shown, second: Shown, expected: tuple[int, str, int] | None) -> None:
    assert spatial_relations([first, second]) == ([] if expected is None else [expected])


def test_members_of_one_group_have_none() -> None:
    first, second = shown("man", 10.0, 30.0, 0.8), shown("dog", 32.0, 50.0, 0.8)
    second.placed = first.placed
    assert spatial_relations([first, second]) == []
