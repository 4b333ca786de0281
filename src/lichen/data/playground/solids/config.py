"""`SolidConfig`: how the playground's solids are made and seen."""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import InputError, pick
from .designs import KINDS
from .shade import MANNERS
from .voxels import RESOLUTION

WORLD = "solids"
"""Name for `lichen data make`, also in manifests and scenes."""
VERSION = 1
"""Of the generator: another number whenever an object, a view or a picture of any (seed, index) changes."""

MANY_PARTS = 12
"""Parts of the largest half models, where the published fitting of primitives stops too."""
_LEAST_PARTS = 5


@dataclass(frozen=True)
class SolidConfig:
    """Settings of `playground_solid`.

    Raises:
        InputError: a value makes no sense; the message names it.
    """

    size: int = 96
    """Edge of the pictures, in pixels."""
    views: int = 4
    """Pictures of each object: object n has the indices n·views to (n+1)·views - 1."""
    voxels: int = RESOLUTION
    """Voxels along each edge of the occupancy grid."""
    kinds: tuple[str, ...] = KINDS
    """Kinds of furniture, each as frequent."""
    most_parts: int = MANY_PARTS
    """Parts of the largest half model, 5 to 12; designs with more are drawn again."""
    azimuths: tuple[float, float] = (-70.0, 70.0)
    """Least and most degrees of the camera from the object's front, positive towards its right."""
    elevations: tuple[float, float] = (10.0, 40.0)
    """Least and most degrees of the camera above the ground, 0 to 80."""
    manner: str | None = None
    """"shaded", "outlined" or "drawing"; None mixes them."""
    occluded: float = 0.0
    """Share of views in which a rectangle of 35 to 65 % of the object's height and width hides what is behind it."""
    depth_noise: float = 0.0
    """Standard deviation of an error of each pixel's depth, in edges of the unit cube."""
    missing: float = 0.0
    """Share of the object's pixels without a depth, as where a sensor fails."""

    def __post_init__(self) -> None:
        for name, lowest, highest in (("size", 16, 1024), ("views", 1, 10_000), ("voxels", 4, 256)):
            _between(name, getattr(self, name), lowest, highest)
        _between("most_parts", self.most_parts, _LEAST_PARTS, MANY_PARTS)
        for name in ("occluded", "missing"):
            _between(name, getattr(self, name), 0.0, 1.0)
        _between("depth_noise", self.depth_noise, 0.0, 0.5)
        for name, least, most in (("azimuths", -360.0, 360.0), ("elevations", 0.0, 80.0)):
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise InputError(f"{name} must be two numbers in order, from {least:g} to {most:g}; got {(low, high)}.")
        if not self.kinds:
            raise InputError("kinds must name at least one kind of furniture: " + ", ".join(KINDS) + ".")
        for kind in self.kinds:
            pick("kind of furniture", kind, KINDS)
        if self.manner is not None:
            pick("manner", self.manner, MANNERS)


def _between(name: str, value: float | int, least: float | int, most: float | int) -> None:
    if not least <= value <= most:
        raise InputError(f"{name} must lie between {least} and {most}; got {value}.")
