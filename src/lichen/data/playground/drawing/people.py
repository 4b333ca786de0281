"""People: jointed figures that face to the right of their frame, drawn in layers so that things can come between.

Lengths are in heights of the figure itself. Joints are found by two-bone inverse kinematics, so a pose says where hands
and feet are, and elbows and knees follow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from .canvas import Colour, Pen, Point, arc
from .colours import INK, Look, cloth, shade


@dataclass(frozen=True)
class Build:
    """Proportions and clothes of a kind of person."""

    height: float
    """In heights of a grown-up man."""
    hip: float
    shoulder: float
    """Heights of the joints when standing, as shares of the height."""
    head: float
    """Radius."""
    girth: float
    """Half the width of the chest."""
    limb: float
    """Width of an arm; legs are a third wider."""
    dress: bool
    sleeves: bool
    """Long ones."""
    hair: str


BUILDS = {
    "man": Build(1.0, 0.47, 0.755, 0.108, 0.098, 0.062, dress=False, sleeves=True, hair="short"),
    "woman": Build(0.95, 0.47, 0.745, 0.112, 0.082, 0.054, dress=True, sleeves=False, hair="long"),
    "boy": Build(0.72, 0.40, 0.675, 0.150, 0.098, 0.068, dress=False, sleeves=False, hair="spiky"),
    "girl": Build(0.70, 0.40, 0.670, 0.152, 0.092, 0.062, dress=True, sleeves=False, hair="tails"),
}


@dataclass(frozen=True)
class Pose:
    """Where the joints are. Points are (x, y) from the ground below the figure, x forward."""

    hip: Point | None = None
    """None: above the feet."""
    lean: float = 0.0
    """Of the trunk, radians forward."""
    nod: float = 0.0
    """Of the head, radians forward; negative looks up."""
    near_hand: Point | None = None
    far_hand: Point | None = None
    """None: hanging down."""
    near_foot: Point = (-0.035, 0.0)
    far_foot: Point = (0.045, 0.0)
    bend: float = 1.0
    """Knees forward (1) or back (-1)."""
    elbow: float = -1.0
    """Elbows down and back (-1) or up and forward (1)."""
    seated: bool = False
    """Thighs carry the dress."""
    front: bool = False
    """Faces the viewer."""


@dataclass(frozen=True)
class Person:
    """One figure: its build, colours and pose."""

    kind: str
    look: Look
    """Of the shirt or dress."""
    skin: Colour
    hair: Colour
    trousers: Colour
    shoes: Colour
    pose: Pose = field(default_factory=Pose)

    @property
    def build(self) -> Build:
        """Proportions."""
        return BUILDS[self.kind]

    def posed(self, **changes: object) -> Person:
        """The same person in another pose."""
        return replace(self, pose=replace(self.pose, **changes))  # type: ignore[arg-type]

    @property
    def hip(self) -> Point:
        """Where the legs begin."""
        if self.pose.hip is not None:
            return self.pose.hip
        return ((self.pose.near_foot[0] + self.pose.far_foot[0]) / 2, self.build.hip)

    @property
    def chest(self) -> Point:
        """Middle of the shoulders."""
        (x, y), length = self.hip, self.build.shoulder - self.build.hip
        return x + length * math.sin(self.pose.lean), y + length * math.cos(self.pose.lean)

    @property
    def face(self) -> Point:
        """Centre of the head."""
        (x, y), b = self.chest, self.build
        length = 1.0 - b.shoulder - b.head
        angle = self.pose.lean + self.pose.nod * 0.6
        return x + length * math.sin(angle), y + length * math.cos(angle)

    def shoulder(self, near: bool) -> Point:
        """Where an arm begins."""
        (x, y), b = self.chest, self.build
        spread = 0.85 if self.pose.front else (0.42 if near else 0.5)
        return x + (-spread if near else spread) * b.girth, y - b.limb * 0.42

    def hand(self, near: bool) -> Point:
        """Where a hand ends up: at its target, or as far towards it as the arm reaches."""
        return self._arm(near)[2]

    def _arm(self, near: bool) -> tuple[Point, Point, Point]:
        b, pose = self.build, self.pose
        start = self.shoulder(near)
        length = (b.shoulder - b.hip) * 0.63
        target = pose.near_hand if near else pose.far_hand
        if target is None:
            swing = 0.10 if near is (pose.near_foot[0] < pose.far_foot[0]) else -0.04
            if pose.front:
                swing = -0.07 if near else 0.07
            target = (start[0] + swing, start[1] - 1.85 * length)
        return bones(start, target, length, length, pose.elbow)

    def _leg(self, near: bool) -> tuple[Point, Point, Point]:
        b, pose = self.build, self.pose
        (x, y), foot = self.hip, pose.near_foot if near else pose.far_foot
        spread = 0.55 if pose.front else 0.2
        start = (x + (-spread if near else spread) * b.girth, y)
        half = (b.hip - 0.03) * 0.505
        if pose.front and pose.seated:
            knee = (start[0] * 0.4 + foot[0] * 0.6, y - 0.05)
            return start, knee, (foot[0], foot[1] + 0.035)
        return bones(start, (foot[0], foot[1] + 0.035), half, half, pose.bend)

    def draw(self, pen: Pen) -> None:
        """The whole figure, all layers in order."""
        self.far(pen)
        self.legs(pen)
        self.body(pen)
        self.near(pen)

    def far(self, pen: Pen, arm: bool = True) -> None:
        """The leg and arm that are farther away."""
        self._draw_leg(pen.part(1), near=False)
        if arm:
            self.far_arm(pen)

    def far_arm(self, pen: Pen) -> None:
        """The arm that is farther away."""
        self._draw_arm(pen.part(2), near=False)

    def legs(self, pen: Pen) -> None:
        """The nearer leg."""
        self._draw_leg(pen.part(3), near=True)

    def near(self, pen: Pen) -> None:
        """The nearer arm."""
        self._draw_arm(pen.part(6), near=True)

    def _draw_leg(self, pen: Pen, near: bool) -> None:
        hip, knee, ankle = self._leg(near)
        b, dim = self.build, 1.0 if near else 0.78
        w = b.limb * 1.36
        bare = b.dress or self.kind == "boy"
        thigh = shade(self.look.main if b.dress and self.pose.seated else self.trousers, dim)
        shin = shade(self.skin, dim) if bare else thigh
        pen.limb(knee, ankle, w * 0.86, w * 0.68, shin)
        pen.limb(hip, knee, w * 1.16, w * (1.0 if not bare or self.pose.seated else 1.04), thigh)
        toe = 0.0 if self.pose.front else 0.032
        pen.oval(ankle[0] + toe, ankle[1] - 0.008, 0.04 + toe * 0.5, 0.028, shade(self.shoes, dim))

    def _draw_arm(self, pen: Pen, near: bool) -> None:
        shoulder, elbow, hand = self._arm(near)
        b, dim = self.build, 1.0 if near else 0.8
        sleeve, skin = shade(self.look.main, 0.92 * dim), shade(self.skin, dim)
        pen.limb(elbow, hand, b.limb * 0.9, b.limb * 0.7, sleeve if b.sleeves else skin)
        if b.sleeves:
            pen.limb(shoulder, elbow, b.limb * 1.12, b.limb * 0.9, sleeve)
        else:
            middle = ((shoulder[0] + elbow[0]) / 2, (shoulder[1] + elbow[1]) / 2)
            pen.limb(shoulder, elbow, b.limb * 0.95, b.limb * 0.85, skin)
            pen.limb(shoulder, middle, b.limb * 1.15, b.limb * 1.1, sleeve)
        pen.oval(*hand, b.limb * 0.58, b.limb * 0.58, skin)

    def body(self, pen: Pen) -> None:
        """Trunk, clothes and head."""
        self.trunk(pen)
        self.head(pen)

    def trunk(self, pen: Pen) -> None:
        """Neck, shirt or dress."""
        b, (hx, hy), (cx, cy) = self.build, self.hip, self.chest
        pen.part(4)
        face = self.face
        pen.limb((cx, cy - 0.02), face, b.limb * 1.1, b.limb * 1.1, shade(self.skin, 0.86))
        lean = self.pose.lean
        ux, uy = math.cos(lean), -math.sin(lean)
        g, low = b.girth, b.girth * (0.86 if b.dress else 0.92)
        drop = 0.03
        top = arc(cx, cy - g * 0.35, g * 1.04, math.pi * 0.86, math.pi * 0.14, 6)
        shirt = [(hx - low * ux, hy - drop - low * uy), *top, (hx + low * ux, hy - drop + low * uy)]
        cloth(pen, shirt, self.look, 0.085)
        if self.look.pattern is None:
            back = [(hx - low * ux, hy - drop - low * uy), top[0], top[1], (hx - low * 0.3 * ux, hy - drop)]
            pen.poly(back, shade(self.look.main, 0.88))
        if b.dress and not self.pose.seated:
            hem = hy * 0.46 if self.pose.hip is None else hy - b.hip * 0.52
            wide = g * 1.75
            mid = (self.pose.near_foot[0] + self.pose.far_foot[0]) / 2 * 0.5 + hx * 0.5
            skirt = [(hx - low * 0.86, hy + 0.02), (hx + low * 0.86, hy + 0.02), (mid + wide, hem), (mid - wide, hem)]
            cloth(pen, skirt, self.look, 0.085)
            if self.look.pattern is None:
                pen.poly(
                    [skirt[0], (hx - low * 0.2, hy), (mid - wide * 0.45, hem), skirt[3]], shade(self.look.main, 0.88)
                )
        elif not b.dress:
            pen.poly(
                [
                    (hx - low, hy - drop - 0.012),
                    (hx + low, hy - drop - 0.012),
                    (hx + low, hy - drop + 0.014),
                    (hx - low, hy - drop + 0.014),
                ],
                shade(self.trousers, 0.7),
            )

    def head(self, pen: Pen) -> None:
        """Hair and face."""
        r = self.build.head
        pen = pen.at(self.face, turn=-self.pose.lean * 0.6 - self.pose.nod, scale=r)
        dark = shade(self.hair, 0.8)
        forward = 0.0 if self.pose.front else 0.16
        pen.part(5)
        self._back_hair(pen, dark)
        pen.oval(-forward * 0.4, 0.08, 1.06, 1.02, self.hair)
        pen.oval(forward * 0.9, -0.14, 0.92 - forward * 0.3, 0.86, self.skin)
        if not self.pose.front:
            pen.oval(1.0, -0.16, 0.13, 0.11, self.skin)
            pen.oval(-0.32, -0.16, 0.15, 0.2, shade(self.skin, 0.82))
        self._fringe(pen)
        near, far = (-0.34, 0.34) if self.pose.front else (0.3, 0.74)
        for x in (near, far):
            pen.oval(x, -0.06, 0.115, 0.17, INK)
        middle = (near + far) / 2
        mouth = arc(middle, -0.38, 0.24, math.pi * 1.08, math.pi * 1.92, 5)
        pen.poly([*mouth, *[(x, y + 0.09) for x, y in reversed(mouth)]], (150, 60, 56))
        pen.oval(near - 0.12, -0.36, 0.16, 0.1, _blush(self.skin))

    def _back_hair(self, pen: Pen, dark: Colour) -> None:
        if self.build.hair == "long":
            pen.poly([(-1.1, 0.2), (-1.28, -1.3), (-0.9, -1.62), (-0.1, -1.5), (0.25, -0.4), (0.1, 0.3)], dark)
            if self.pose.front:
                pen.poly([(1.1, 0.2), (1.2, -1.3), (0.8, -1.5), (0.1, -1.4), (-0.1, 0.3)], dark)
        elif self.build.hair == "tails":
            for side in (-1.0, 1.0) if self.pose.front else (-1.0,):
                pen.limb((side * 0.95, 0.15), (side * 1.62, -0.75), 0.5, 0.3, self.hair)
                pen.oval(side * 1.0, 0.12, 0.24, 0.24, self.look.main)

    def _fringe(self, pen: Pen) -> None:
        hair = self.hair
        if self.build.hair == "short":
            pen.poly(
                [(-0.98, 0.36), *arc(0.0, 0.1, 1.02, math.pi * 0.86, math.pi * 0.16, 8), (0.5, 0.38), (-0.4, 0.34)],
                hair,
            )
        elif self.build.hair == "spiky":
            spikes = [
                (-1.05, 0.2),
                (-1.1, 0.85),
                (-0.65, 0.85),
                (-0.45, 1.35),
                (-0.1, 1.0),
                (0.25, 1.38),
                (0.45, 0.98),
                (0.95, 1.08),
                (0.9, 0.5),
                (0.45, 0.34),
                (0.1, 0.52),
                (-0.3, 0.3),
            ]
            pen.poly(spikes, hair)
        else:
            pen.poly(
                [
                    (-1.0, 0.0),
                    *arc(0.0, 0.1, 1.03, math.pi * 0.95, math.pi * 0.14, 8),
                    (0.75, 0.42),
                    (0.1, 0.46),
                    (-0.5, -0.05),
                ],
                hair,
            )


def _blush(skin: Colour) -> Colour:
    r, g, b = skin
    return min(255, r + 8), int(g * 0.84), int(b * 0.84)


def bones(start: Point, target: Point, first: float, second: float, bend: float) -> tuple[Point, Point, Point]:
    """Two-bone inverse kinematics.

    Args:
        start: the fixed end.
        target: where the other end should be.
        first, second: lengths of the bones.
        bend: 1 puts the joint to the left of the way from start to target, -1 to the right.

    Returns:
        Start, joint, and the end: the target, or the nearest point that can be reached.
    """
    dx, dy = target[0] - start[0], target[1] - start[1]
    distance = math.hypot(dx, dy) or 1e-9
    reach = min(max(distance, abs(first - second) + 1e-6), (first + second) * 0.999)
    dx, dy = dx / distance, dy / distance
    along = (first * first - second * second + reach * reach) / (2.0 * reach)
    off = math.sqrt(max(0.0, first * first - along * along)) * bend
    joint = (start[0] + along * dx - off * dy, start[1] + along * dy + off * dx)
    return start, joint, (start[0] + reach * dx, start[1] + reach * dy)
