"""Half models of Scenes: the parts that a network is to name, as the published numbers, with 2D boxes.

An object lies in a cube from (0, 0, 0) whose middle plane in x is its mirror plane, so its solids' own mirror says how
large the cube is: 1 for the playground, V for the published files. Of a pair the left part is kept; the rule of
`solids.published.completed` makes the right one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...data.playground.solids.camera import Camera
from ...data.playground.solids.designs import PARTS, part_class
from ...errors import BadSample, InputError
from ...scene import Scene, Solid
from ...scene.geometry import complete
from ...solids.cuboids import Cuboids
from ...solids.published import enlarged, order, to_rows

_ALMOST = 1e-4
"""Shares of the cube's edge by which a part on the right may reach over the mirror plane."""


@dataclass(frozen=True, eq=False)
class Half:
    """One object in one picture."""

    rows: Float[Tensor, "parts 20"]
    """Primitives in voxels, the highest first."""
    names: tuple[str, ...]
    """Class of each."""
    boxes: Float[Tensor, "parts 4"]
    """2D boxes in shares of the picture."""
    whole: Cuboids
    """All cuboids, reflections included, in the unit cube."""
    whole_names: tuple[str, ...]
    """Class of each of them."""


def half_of(scene: Scene, grid: int, factor: float) -> Half:
    """The half model of a scene.

    Args:
        scene: with solids, a size, and a camera in its metadata.
        grid: voxels along an edge of the cube.
        factor: enlargement of the 2D boxes.

    Raises:
        BadSample: there are no solids or no camera, they do not lie in their cube, or one is turned about two axes.
    """
    if not scene.solids:
        raise BadSample(scene.id, "it has no solids to learn from")
    everything = complete(scene.solids)
    edge = cube_of(scene.solids)
    whole = Cuboids.of(everything).moved(1 / edge)
    reach = whole.corners()
    if float(reach.min()) < -0.5 or float(reach.max()) > 1.5:
        raise BadSample(
            scene.id,
            f"its solids reach from {float(reach.min()) * edge:.3g} to {float(reach.max()) * edge:.3g}, far outside "
            f"the cube from 0 to {edge:g} that its mirror plane is the middle of",
        )
    names = [class_of(scene, solid) for solid in everything]
    left = (whole.centre[:, 0] - whole.size[:, 0] / 2 < 0.5 - _ALMOST).nonzero().flatten()
    try:
        rows = to_rows(whole[left].moved(grid))
    except InputError as error:
        raise BadSample(scene.id, str(error)) from error
    boxes = _boxes(scene, whole[left].moved(edge), factor)
    places = order(rows)
    chosen = left[places].tolist()
    return Half(rows[places], tuple(names[n] for n in chosen), boxes[places], whole, tuple(names))


def cube_of(solids: Sequence[Solid]) -> float:
    """Edge of the cube that an object lies in: twice the offset of a mirror plane in x, or 1 where there is none."""
    for solid in solids:
        if solid.mirror is not None and solid.mirror[0] == 1.0 and solid.mirror[3] > 0:
            return 2.0 * solid.mirror[3]
    return 1.0


def class_of(scene: Scene, solid: Solid) -> str:
    """Class of a part: of furniture the playground's, such as "leg" for "left front leg"; else its name, sides off."""
    name = (solid.part or "part").removeprefix("left ").removeprefix("right ")
    kind = scene.labels[0].name if scene.labels else ""
    if kind in PARTS and scene.metadata.get("world") == "solids":
        return tuple(PARTS[kind])[part_class(kind, name)]
    return name


def camera_of(scene: Scene) -> Camera | None:
    """The camera that a scene's metadata describe, as the playground does; None where there is none."""
    known = scene.metadata.get("camera")
    if not isinstance(known, dict) or scene.size is None:
        return None
    try:
        return Camera.from_dict({"azimuth": 0.0, "elevation": 0.0, **known}, scene.size[0])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadSample(scene.id, f"its camera cannot be read: {error}") from error


def _boxes(scene: Scene, cuboids: Cuboids, factor: float) -> Float[Tensor, "parts 4"]:
    """What the eight projected corners of each cuboid span, enlarged and cut, in shares of the picture."""
    camera = camera_of(scene)
    if camera is None or scene.size is None:
        raise BadSample(
            scene.id, "its metadata have no camera (intrinsics and extrinsics), by which parts are found in the picture"
        )
    seen = torch.from_numpy(camera.project(cuboids.corners().numpy())[..., :2])
    spans = torch.cat([seen.amin(1), seen.amax(1)], 1) / torch.tensor([*scene.size, *scene.size])
    return enlarged(spans, factor)


def object_of(scene: Scene) -> str:
    """Which object a picture shows: that of the playground, Pix3D's model, the source's base shape, or the picture."""
    for key in ("object", "model", "base"):
        if key in scene.metadata:
            return f"{scene.metadata.get('seed', '')}/{scene.metadata.get('split', '')}/{scene.metadata[key]}"
    return scene.id


def fold_of(scene: Scene) -> int:
    """Half of the training objects that a picture's object is of; all its pictures are in one."""
    return hashlib.sha256(object_of(scene).encode()).digest()[0] % 2
