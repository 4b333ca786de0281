"""What stands outdoors: trees, and boards with words."""

from __future__ import annotations

from .canvas import Pen
from .colours import METAL, Look, shade


def tree(pen: Pen, look: Look) -> None:
    """A round crown on a trunk, high enough to stand under."""
    pen.part(1).poly([(-0.09, 0.0), (0.09, 0.0), (0.055, 0.75), (-0.055, 0.75)], (118, 80, 50))
    pen.poly([(-0.09, 0.0), (-0.03, 0.0), (-0.02, 0.75), (-0.055, 0.75)], (92, 62, 40))
    pen.part(2)
    for x, y, rx, ry in (
        (-0.3, 1.0, 0.27, 0.24),
        (0.3, 1.02, 0.27, 0.24),
        (0.0, 1.22, 0.34, 0.3),
        (0.0, 0.98, 0.36, 0.26),
    ):
        pen.oval(x, y, rx, ry, look.main)
    pen.oval(-0.08, 1.28, 0.2, 0.15, shade(look.main, 1.2))
    pen.oval(0.22, 1.08, 0.13, 0.1, shade(look.main, 1.12))
    pen.oval(-0.28, 0.94, 0.17, 0.1, shade(look.main, 0.82))
    pen.oval(0.12, 0.86, 0.2, 0.09, shade(look.main, 0.82))


def sign(pen: Pen, look: Look, width: float = 0.34, bottom: float = 0.5, height: float = 0.3) -> None:
    """A board on a post; `letters.write` writes on it. `width` is half of the board's."""
    pen.part(1).rect(-0.025, 0.0, 0.025, bottom + 0.05, METAL)
    rim = shade(look.main, 0.55)
    pen.part(3).rect(-width, bottom, width, bottom + height, rim)
    pen.part(2).rect(-width + 0.022, bottom + 0.022, width - 0.022, bottom + height - 0.022, look.main)
