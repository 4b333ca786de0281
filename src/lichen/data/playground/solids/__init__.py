"""Furniture made of cuboids: pictures, depth, masks, voxels and the parts themselves, from (seed, index).

`playground_solid` makes one view, `PlaygroundSolids` is a data set of them. An object is a `Furniture` in its
normalised pose; `to_primitives` gives its half model as a primitive graph network learns it.
"""

from __future__ import annotations

from .camera import Camera
from .config import SolidConfig
from .dataset import PlaygroundSolids
from .designs import KINDS, PARTS, part_class
from .furniture import Furniture, make_furniture
from .make import make_solids, read_solid
from .sample import SolidSample, part_boxes, playground_solid
from .show import show_solids
from .targets import Primitives, to_primitives, to_solids
from .voxels import voxelise

__all__ = [
    "KINDS",
    "PARTS",
    "Camera",
    "Furniture",
    "PlaygroundSolids",
    "Primitives",
    "SolidConfig",
    "SolidSample",
    "make_furniture",
    "make_solids",
    "part_boxes",
    "part_class",
    "playground_solid",
    "read_solid",
    "show_solids",
    "to_primitives",
    "to_solids",
    "voxelise",
]
