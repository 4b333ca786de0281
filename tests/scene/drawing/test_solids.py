"""Cuboids: what is in front hides what is behind, both views show them all, every part has its colour."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lichen.scene import Solid
from lichen.scene.drawing import DrawConfig
from lichen.scene.drawing.palette import COLOURS, PAPER, Colour
from lichen.scene.drawing.solids import draw_solids, view

RED: Colour = (200, 30, 30)
BLUE: Colour = (30, 30, 200)


def hue(picture: Image.Image, place: tuple[int, int]) -> str:
    red, green, blue = np.asarray(picture)[place[1], place[0]].astype(int).tolist()
    return "red" if red > blue + 40 else "blue" if blue > red + 40 else "none" if abs(red - green) < 12 else "?"


def test_the_nearer_cuboid_hides_the_farther_one() -> None:
    # The eye stands on the x axis: of two equal cubes it sees the one at the larger x alone.
    near, far = Solid((5.0, 0.0, 0.0), (2.0, 2.0, 2.0)), Solid((-5.0, 0.0, 0.0), (2.0, 2.0, 2.0))
    for solids, colours in (((near, far), (RED, BLUE)), ((far, near), (BLUE, RED))):
        assert hue(view(solids, colours, 90, 0.0, 0.0), (45, 45)) == "red"
        assert hue(view(solids, colours, 90, 180.0, 0.0), (45, 45)) == "blue"


def test_cuboids_that_run_into_each_other_are_told_apart_at_each_pixel() -> None:
    # A cross of two bars seen from above: each sticks out of the other, and the thicker one shows in the middle.
    bars = (Solid((0.0, 0.0, 0.0), (10.0, 2.0, 2.0)), Solid((0.0, 0.0, 0.0), (2.0, 10.0, 1.0)))
    seen = view(bars, (RED, BLUE), 120, -90.0, 89.9)
    assert [hue(seen, place) for place in ((60, 60), (25, 60), (95, 60), (60, 25), (60, 95))] == [
        *("red", "red", "red", "blue", "blue"),
    ]


def test_right_is_right_and_up_is_up() -> None:
    # From the front, at minus y, x goes to the right and z up.
    solids = (Solid((4.0, 0.0, 0.0), (2.0, 2.0, 2.0)), Solid((0.0, 0.0, 4.0), (2.0, 2.0, 2.0)))
    pixels = np.asarray(view(solids, (RED, BLUE), 120, -90.0, 0.0)).astype(int)
    columns, rows = np.meshgrid(np.arange(120), np.arange(120))
    red, blue = (
        np.subtract(*pair) > 40 for pair in ((pixels[..., 0], pixels[..., 2]), (pixels[..., 2], pixels[..., 0]))
    )
    assert columns[red].mean() > columns[blue].mean() + 20
    assert rows[red].mean() > rows[blue].mean() + 20


def test_faces_towards_the_light_are_brighter() -> None:
    seen = np.asarray(view((Solid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),), (RED,), 120, -45.0, 35.264)).astype(int).sum(-1)
    # Of a cube in isometric view: the top above the middle, two sides below it to the left and right.
    top, left, right = seen[40, 60], seen[75, 40], seen[75, 80]
    assert top > left > right


def test_both_views_and_the_names_of_the_parts() -> None:
    plane = (1.0, 0.0, 0.0, 0.0)
    chair = (
        Solid((0.0, 0.0, 3.0), (4.0, 4.0, 1.0), part="seat"),
        Solid((1.5, 0.0, 1.0), (0.5, 0.5, 3.0), part="leg", mirror=plane),
    )
    sheet = draw_solids(chair, 200, DrawConfig())
    assert sheet.width == 415 and sheet.height > 220
    pixels = np.asarray(sheet)
    for half in (pixels[20:220, :200], pixels[20:220, 215:]):
        assert (half != PAPER).any(-1).mean() > 0.1
    legend = pixels[222:]
    assert all((legend == colour).all(-1).sum() > 80 for colour in COLOURS[:2])
    assert not (legend == COLOURS[2]).all(-1).any()
    # The reflected leg is drawn too.
    alone = draw_solids(tuple(Solid(solid.centre, solid.size, part=solid.part) for solid in chair), 200, DrawConfig())
    assert np.abs(np.asarray(alone).astype(int)[20:220] - pixels.astype(int)[20:220]).sum() > 0
