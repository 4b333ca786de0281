"""`show_solids`: views as one picture, a column each: what the camera sees, depth, parts, voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from ....errors import InputError
from ....scene.drawing.palette import COLOURS
from .boxes import Boxes
from .cast import Rays
from .designs import part_class
from .sample import SolidSample

Picture = UInt8[np.ndarray, "rows columns 3"]

_NEAR, _FAR = 60.0, 220.0
"""Greys of the nearest and of the farthest depth."""
_FACES = np.array([[74, 118, 156], [112, 156, 190], [190, 212, 226], [255, 255, 255]], np.float64)
"""Of voxels: square to x, to y and to z; beside them."""
_FINE = 3


def show_solids(samples: Sequence[SolidSample], scale: int = 2, gap: int = 4) -> Image.Image:
    """Draw views beside each other.

    Args:
        samples: at least one, all of one size.
        scale: whole number of times that they are enlarged.
        gap: white pixels between two pictures.

    Raises:
        InputError: there are none, or their sizes differ.
    """
    if len({sample.camera.size for sample in samples}) != 1:
        raise InputError("show_solids takes one view or more, all of one size.")
    columns = [(sample.image, _depth(sample), _parts(sample), _voxels(sample)) for sample in samples]
    edge = samples[0].camera.size * scale
    size = (len(columns) * (edge + gap) - gap, len(columns[0]) * (edge + gap) - gap)
    sheet = Image.new("RGB", size, "white")
    for column, pictures in enumerate(columns):
        for row, picture in enumerate(pictures):
            large = Image.fromarray(picture).resize((edge, edge), Image.Resampling.NEAREST)
            sheet.paste(large, (column * (edge + gap), row * (edge + gap)))
    return sheet


def _depth(sample: SolidSample) -> Picture:
    """Near is dark, the background white."""
    level = np.full(sample.depth.shape, 255.0)
    if sample.mask.any():
        known = sample.depth[sample.mask]
        near, far = float(known.min()), float(known.max())
        level[sample.mask] = _NEAR + (_FAR - _NEAR) * (known - near) / max(far - near, 1e-6)
    return np.repeat(level.astype(np.uint8)[..., None], 3, axis=2)


def _parts(sample: SolidSample) -> Picture:
    """A colour a class of parts; solids of one class are told apart by a white line where they meet."""
    scene, parts = sample.scene, sample.parts
    classes = [part_class(scene.labels[0].name, solid.part or "") for solid in scene.solids]
    colours = np.array([*(COLOURS[number % len(COLOURS)] for number in classes), (255, 255, 255)], np.uint8)
    picture = colours[parts]
    meet = np.zeros(parts.shape, np.bool_)
    meet[:, 1:] |= (parts[:, 1:] != parts[:, :-1]) & (parts[:, :-1] >= 0)
    meet[1:] |= (parts[1:] != parts[:-1]) & (parts[:-1] >= 0)
    picture[meet] = 255
    return picture


def _voxels(sample: SolidSample) -> Picture:
    """The voxels from where the camera stands."""
    hits = Rays(sample.camera, _cubes(sample.voxels), _FINE).cast()
    face, edge = np.where(hits.part < 0, 3, hits.axis), sample.camera.size
    return _FACES[face].reshape(edge, _FINE, edge, _FINE, 3).mean(axis=(1, 3)).astype(np.uint8)


def _cubes(voxels: Bool[np.ndarray, "x y z"]) -> Boxes:
    """A cube for every occupied voxel with a free neighbour; the others cannot be seen."""
    padded = np.pad(voxels, 1)
    inner = voxels.copy()
    for axis in range(3):
        for step in (-1, 1):
            inner &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
    centre = (np.argwhere(voxels & ~inner) + 0.5) / len(voxels)
    half = np.full(centre.shape, 0.5 / len(voxels))
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    corners = centre[:, None] + signs * half[:, None]
    return Boxes(centre, half, np.broadcast_to(np.eye(3), (len(centre), 3, 3)), corners)
