"""Solids as GLB and OBJ files, for Blender and every other viewer, and back.

Files have y up and the front towards z, as viewers expect; solids have z up and the front towards y. A GLB keeps each
solid exactly, in the `extras` of its mesh; from an OBJ, or from a file of another program, each part is read as the
cuboid around it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..errors import InputError, pick
from ..files import staged_file
from .check import shown
from .drawing.palette import colour_of
from .extras import need
from .geometry import FACES, complete, corners
from .records import Solid

_WHAT = "GLB and OBJ files are read and written"
_SUFFIXES = (".glb", ".obj")
_KEY = "lichen_solid"
_RISKY = re.compile(r"[\x00-\x1f\\#\s]+")
"""What would end or hide a name in OBJ text."""
_UPRIGHT = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
"""From z up and the front towards y to y up and the front towards z, as glTF 2.0 (3.4, Coordinate System) has it."""
_TRIANGLES = np.concatenate([FACES[:, [0, 1, 2]], FACES[:, [0, 2, 3]]])
_DIGITS = 12
"""After the point, in OBJ text."""
_HEADER = "cuboids, y up"
_SQUARE = 1e-3
"""How far edges of a cuboid may be from right angles, in a file that was rounded to some digits."""


def to_meshes(solids: Sequence[Solid]) -> Any:
    """The solids of a scene, reflections included, as a `trimesh.Scene` with y up and a colour a part.

    Raises:
        MissingPackageError: trimesh is not installed.
    """
    trimesh = need("trimesh", "solids", _WHAT)
    whole = complete(solids)
    parts = list(dict.fromkeys(solid.part for solid in whole))
    scene = trimesh.Scene()
    for place, (solid, points) in enumerate(zip(whole, corners(whole) @ _UPRIGHT.T, strict=True)):
        colour = [*colour_of(parts.index(solid.part)), 255]
        # Reflections are written for viewers and made anew when the file is read.
        known = json.dumps(solid.to_dict() if place < len(solids) else None)
        mesh = trimesh.Trimesh(points, _TRIANGLES, face_colors=colour, metadata={_KEY: known}, process=False)
        name = f"{place:03d}" if solid.part is None else f"{place:03d}_{_RISKY.sub(' ', solid.part).strip()}"
        scene.add_geometry(mesh, node_name=name, geom_name=name)
    return scene


def write_meshes(path: str | Path, solids: Sequence[Solid]) -> None:
    """Write solids as `.glb` or `.obj`, by the suffix of the path. The file appears whole, or the old one stays.

    Raises:
        MissingPackageError: trimesh is not installed.
        InputError: there are no solids, the suffix is another one, or the file cannot be written.
    """
    path = Path(path)
    kind = pick("suffix of a file of solids", path.suffix.lower(), _SUFFIXES)
    if not solids:
        raise InputError("There are no solids to write: scene.solids is empty.")
    scene = to_meshes(solids)
    data = scene.export(file_type="glb") if kind == ".glb" else _obj(scene)
    with staged_file(path) as part:
        part.write_bytes(data)


def read_meshes(path: str | Path) -> tuple[Solid, ...]:
    """Solids of a GLB or OBJ file with y up: as they were written, or the cuboid around each of its meshes.

    Raises:
        MissingPackageError: trimesh is not installed.
        InputError: the file cannot be read, or holds no mesh with a volume.
    """
    trimesh = need("trimesh", "solids", _WHAT)
    path = Path(path)
    kind = pick("suffix of a file of solids", path.suffix.lower(), _SUFFIXES)
    options = {"split_objects": True, "group_material": False} if kind == ".obj" else {}
    try:
        scene = trimesh.load_scene(path, process=False, **options)
    except Exception as error:
        # trimesh lets through whatever its parsers meet in a damaged file: KeyError, struct.error, ValueError.
        raise InputError(f"{str(path)!r} cannot be read as {kind[1:].upper()}: {error}.") from error
    found = []
    for node in sorted(scene.graph.nodes_geometry):
        matrix, name = scene.graph[node]
        mesh = scene.geometry[name]
        if _KEY in mesh.metadata:
            found.append(_known(mesh.metadata[_KEY], f"{path.name}: {name}"))
        else:
            points = np.asarray(mesh.vertices, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
            found.append(_around(trimesh, points @ _UPRIGHT, name, f"{path.name}: {name}"))
    if not found:
        raise InputError(f"{str(path)!r} holds no mesh.")
    return tuple(solid for solid in found if solid is not None)


def _obj(scene: Any) -> bytes:
    export = need("trimesh.exchange.obj", "solids", _WHAT).export_obj
    return export(scene, include_normals=False, digits=_DIGITS, header=_HEADER).encode()


def _known(text: Any, where: str) -> Solid | None:
    """A solid that `write_meshes` put beside its mesh; None for a reflection."""
    try:
        values = json.loads(text)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {_KEY} must be JSON; got {shown(text)}.") from error
    return None if values is None else Solid.from_dict(values, where)


def _around(trimesh: Any, points: Float64[np.ndarray, "points 3"], name: str, where: str) -> Solid:
    """The cuboid that the points are the corners of, or the smallest around them."""
    _, first = np.unique(points.round(9), axis=0, return_index=True)
    points = points[np.sort(first)]
    edges = _edges(points) if len(points) == 8 else None
    if edges is not None:
        centre, lengths = points.mean(0), np.linalg.norm(edges, axis=1)
        axes = (edges / lengths[:, None]).T
    else:
        try:
            to_box, lengths = trimesh.bounds.oriented_bounds(points)
        except Exception as error:
            # Of qhull: a mesh that is flat has no hull in space.
            raise InputError(f"{where} has no volume: {len(points)} different points.") from error
        axes, centre = to_box[:3, :3].T, -to_box[:3, :3].T @ to_box[:3, 3]
    if np.linalg.det(axes) < 0:
        axes = axes * np.array([-1.0, 1.0, 1.0])
    ours = re.fullmatch(r"\d{3,}(?:_(.*))?", name)
    rest = {"rotation": axes.ravel().tolist(), "part": ours[1] if ours else name}
    return Solid.from_dict({"centre": centre.tolist(), "size": lengths.tolist(), **rest}, where)


def _edges(points: Float64[np.ndarray, "8 3"]) -> Float64[np.ndarray, "3 3"] | None:
    """The three edges at the first of eight corners, in the order of our own files where it is theirs; or None."""
    rays = points[1:] - points[0]
    lengths = np.linalg.norm(rays, axis=1)
    for chosen in ((0, 1, 3), *combinations(range(7), 3)):
        edges = rays[list(chosen)]
        angles = edges @ edges.T / np.outer(lengths[list(chosen)], lengths[list(chosen)])
        if np.abs(angles - np.eye(3)).max() > _SQUARE:
            continue
        # Of a cuboid, the other four corners are the sums of these edges.
        sums = points[0] + np.array([edges[[0, 1]].sum(0), edges[[0, 2]].sum(0), edges[[1, 2]].sum(0), edges.sum(0)])
        if np.linalg.norm(sums[:, None] - points[None], axis=-1).min(1).max() <= _SQUARE * lengths.max():
            return edges
    return None
