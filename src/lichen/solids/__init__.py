"""Cuboids as tensors: geometry, the published files' numbers, voxels, surfaces, and fits without a network.

`Cuboids` is the set; `fit_cuboids` abstracts an occupancy grid into one.
"""

from __future__ import annotations

from .cuboids import Cuboids
from .files import Grid, read_grid, write_solids
from .fit import FitConfig, Fitted, fit_cuboids
from .published import Normalisation
from .surface import sample_surface
from .voxels import fill_mesh, iou, occupied, voxelise

__all__ = [
    "Cuboids",
    "FitConfig",
    "Fitted",
    "Grid",
    "Normalisation",
    "fill_mesh",
    "fit_cuboids",
    "iou",
    "occupied",
    "read_grid",
    "sample_surface",
    "voxelise",
    "write_solids",
]
