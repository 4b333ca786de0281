"""`playground_solid`: one view of one object with everything that is known of it, from (seed, index)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int16, UInt8

from ....scene import Box, Entity, Label, Scene
from ....scene.geometry import as_box, corners
from ..dice import Dice
from ..order import split_of
from .boxes import Boxes
from .camera import Camera, random_camera
from .cast import Rays
from .config import VERSION, WORLD, SolidConfig
from .corrupt import Channels, corrupt
from .describe import describe
from .furniture import Furniture, make_furniture
from .shade import Look, paint, random_look
from .voxels import voxelise

_VIEW, _ERRORS = 0x5011E, 0x5011F
"""Streams of the throws for a view, and for what goes wrong in it."""


@dataclass(frozen=True, eq=False)
class SolidSample:
    """One view of one object."""

    scene: Scene
    """Kind, caption, solids, the object's 2D box; in the metadata camera, partners and materials."""
    image: UInt8[np.ndarray, "rows columns 3"]
    """The colour picture."""
    depth: Float32[np.ndarray, "rows columns"]
    """Depth along the optical axis at every pixel's middle, in edges of the unit cube; infinite beside the object."""
    parts: Int16[np.ndarray, "rows columns"]
    """Place of the solid that each pixel shows, in `scene.solids`; -1 beside the object."""
    voxels: Bool[np.ndarray, "x y z"]
    """Occupancy of the unit cube, from left to right, back to front and bottom to top."""
    camera: Camera

    @property
    def mask(self) -> Bool[np.ndarray, "rows columns"]:
        """Where the object is seen: where the depth is finite."""
        return np.isfinite(self.depth)


def playground_solid(seed: int, index: int, config: SolidConfig = SolidConfig()) -> SolidSample:
    """One view of one object. The same seed, index and settings give the same bits on every machine.

    Args:
        seed: of the world.
        index: of the view; `index // config.views` is the object's number, and with it all its views belong to one
            split (`lichen.data.playground.order`).
        config: how it is made and seen.

    Raises:
        InputError: seed or index is negative or too large.
    """
    number, view = divmod(index, config.views)
    split, place = split_of(seed, number)
    furniture = make_furniture(seed, number, config.kinds, config.most_parts)
    dice = Dice(seed, index, _VIEW)
    camera = random_camera(dice, furniture.solids, config.size, config.azimuths, config.elevations)
    look = random_look(dice, camera.azimuth, config.manner)
    boxes = Boxes.of(furniture.solids)
    hits = Rays(camera, boxes).cast()
    channels = Channels(paint(camera, boxes, furniture.made_of, look), hits.depth.astype(np.float32), hits.part)
    occluder = corrupt(channels, Dice(seed, index, _ERRORS), config)
    numbers: dict[str, int | str] = {"seed": seed, "index": index, "object": number, "split": split}
    scene = _scene(furniture, camera, look, occluder, f"solid-{split}-{place:06d}-{view}", numbers)
    voxels = voxelise(furniture.solids, config.voxels)
    return SolidSample(scene, channels.image, channels.depth, channels.parts, voxels, camera)


def part_boxes(sample: SolidSample, factor: float = 1.1) -> Float64[np.ndarray, "solids 4"]:
    """2D boxes of all solids, as a network that looks at one part after the other is given them.

    Args:
        sample: a view.
        factor: enlargement about the box's centre.

    Returns:
        Left, top, right, bottom in pixels: the extent of the eight projected corners, enlarged, then clipped.

    Source: arXiv 2109.04153, released data (`scale_box2d 1.1`).
    """
    seen = sample.camera.project(corners(sample.scene.solids))[..., :2]
    low, high = seen.min(axis=1), seen.max(axis=1)
    middle, half = (low + high) / 2, (high - low) / 2 * factor
    return np.clip(np.concatenate([middle - half, middle + half], axis=1), 0.0, float(sample.camera.size))


def _scene(
    furniture: Furniture, camera: Camera, look: Look, occluder: Box | None, id: str, numbers: Mapping[str, int | str]
) -> Scene:
    seen = camera.project(corners(furniture.solids))[..., :2].reshape(-1, 2)
    drawing = look.manner == "drawing"
    finish = {} if drawing else {name: look.finish[name].name for name in sorted(set(furniture.made_of))}
    return Scene(
        id=id,
        size=(camera.size, camera.size),
        captions=(describe(furniture, look.finish, camera.azimuth, drawing),),
        labels=(Label(furniture.kind),),
        entities=(
            Entity(
                furniture.kind,
                as_box([*seen.min(axis=0), *seen.max(axis=0)]),
                attributes=(furniture.style, *dict.fromkeys(finish.values())),
                id=id.rpartition("-")[0],
            ),
        ),
        solids=furniture.solids,
        metadata={
            "world": WORLD,
            "version": VERSION,
            **numbers,
            "style": furniture.style,
            "half": furniture.half,
            "partners": list(furniture.partners),
            "metres": furniture.metres,
            "camera": camera.to_dict(),
            "manner": look.manner,
            "backdrop": look.backdrop.kind,
            "made_of": list(furniture.made_of),
            "materials": finish,
            "occluder": None if occluder is None else list(occluder),
        },
    )
