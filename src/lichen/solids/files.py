"""Cuboids to files, and objects of the user's own (meshes, voxels) as occupancy grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from ..errors import InputError, pick
from ..files import staged_file, write_atomic
from ..scene import Scene, Solid
from ..scene.extras import need
from ..scene.meshes import write_meshes
from .cuboids import Cuboids
from .voxels import RESOLUTION, fill_mesh

Up = Literal["y", "z"]
MESHES = (".glb", ".gltf", ".obj", ".off", ".ply", ".stl")
VOXELS = (".npy", ".npz")
WRITTEN = (".glb", ".obj", ".json", ".npz")
"""Endings of what `write_solids` writes."""
EDGE = 15 / 16
"""Share of the grid that the longest edge of a mesh takes, as in the playground."""
_UPRIGHT = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
"""From y up and the front towards z to z up and the front towards y."""


@dataclass(frozen=True, eq=False)
class Grid:
    """An object as voxels, and the way back to its own coordinates."""

    occupancy: Bool[Tensor, "x y z"]
    scale: float = 1.0
    """Edge of a voxel in the object's own units."""
    least: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the grid begins, in the object's own units, z up."""

    def to_object(self, cuboids: Cuboids) -> Cuboids:
        """Cuboids in voxels as cuboids in the object's own units, z up."""
        return cuboids.moved(self.scale, torch.tensor(self.least).to(cuboids.centre))


def read_grid(path: str | Path, grid: int = RESOLUTION, up: Up = "y") -> Grid:
    """A mesh, or voxels, as an occupancy grid.

    Args:
        path: a mesh (.glb, .gltf, .obj, .off, .ply, .stl); or voxels as a boolean or numeric cubic array: .npy, or
            .npz with the array `voxels` or only one array. Voxels are indexed by x, y, z (up); above 0.5 is occupied.
        grid: voxels along each edge that a mesh is filled into. Voxels keep their own number.
        up: axis of a mesh that points up; "y" as glTF has it.

    Raises:
        InputError: the file is absent, damaged or of another kind; the mesh is empty or not watertight; the array is
            not a cubic grid of numbers, or none of its voxels is occupied.
        MissingPackageError: a mesh was given and trimesh is not installed.
    """
    path = Path(path)
    kind = pick("suffix of a mesh or of voxels", path.suffix.lower(), (*MESHES, *VOXELS))
    if not path.is_file():
        raise InputError(f"There is no file {str(path)!r}. Give a mesh ({', '.join(MESHES)}) or voxels (.npy, .npz).")
    if kind in VOXELS:
        return Grid(_voxels(path))
    if not 4 <= grid <= 256:
        raise InputError(f"A grid has 4 to 256 voxels an edge; got {grid}.")
    vertices, faces = _mesh(path)
    if up == "y":
        vertices = vertices @ _UPRIGHT.T
    low, high = vertices.min(0), vertices.max(0)
    extent = float((high - low).max())
    if not extent > 0:
        raise InputError(f"{str(path)!r}: the mesh has no extent; all its points are one.")
    scale = extent / EDGE / grid
    least = (low + high) / 2 - scale * grid / 2
    occupancy = fill_mesh((vertices - least) / scale, faces, grid)
    if not bool(occupancy.any()):
        raise InputError(
            f"{str(path)!r}: the mesh holds no middle of a voxel of {scale:.3g} units. It is thinner than that, or its "
            "faces look inwards. Use a finer grid (--resolution), or turn its normals round."
        )
    return Grid(occupancy, scale, (float(least[0]), float(least[1]), float(least[2])))


def _mesh(path: Path) -> tuple[Float64[np.ndarray, "vertices 3"], np.ndarray]:
    trimesh = need("trimesh", "solids", "Meshes are read")
    try:
        found = trimesh.load_scene(path)
        meshes = [each for each in found.dump() if hasattr(each, "faces")]
        mesh = trimesh.util.concatenate(meshes) if meshes else None
    except Exception as error:
        # trimesh lets through whatever its parsers meet in a damaged file.
        raise InputError(f"{str(path)!r} cannot be read as a mesh: {error}.") from error
    if mesh is None or not len(mesh.faces):
        raise InputError(f"{str(path)!r} holds no mesh with faces.")
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    vertices = np.asarray(mesh.vertices, np.float64)
    if not np.isfinite(vertices).all():
        raise InputError(f"{str(path)!r} has points that are not finite numbers.")
    return vertices, np.asarray(mesh.faces, np.int64)


def _voxels(path: Path) -> Bool[Tensor, "x y z"]:
    try:
        with path.open("rb") as opened:
            loaded = np.load(opened, allow_pickle=False)
            array = loaded if isinstance(loaded, np.ndarray) else _only(dict(loaded), path)
    except InputError:
        raise
    # numpy raises what zipfile, its header parser and the file system raise.
    except Exception as error:
        raise InputError(f"{str(path)!r} cannot be read as an array: {error or type(error).__name__}.") from error
    if array.ndim != 3 or len(set(array.shape)) != 1 or array.dtype.kind not in "biuf":
        raise InputError(
            f"{str(path)!r} holds {array.dtype} of shape {array.shape}; voxels are a cubic grid of numbers, (V, V, V)."
        )
    occupancy = torch.from_numpy(np.ascontiguousarray(array > 0.5))
    if not bool(occupancy.any()):
        raise InputError(f"{str(path)!r}: none of its {array.size:,} voxels is occupied, so there is nothing to fit.")
    return occupancy


def _only(arrays: dict[str, np.ndarray], path: Path) -> np.ndarray:
    if "voxels" in arrays:
        return arrays["voxels"]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    names = ", ".join(sorted(arrays)) or "none"
    raise InputError(f"{str(path)!r} has no array 'voxels'. It has: {names}.")


def write_solids(path: str | Path, solids: Sequence[Solid], id: str = "object") -> None:
    """Write solids as a mesh (.glb, .obj), as a Scene (.json), or as arrays (.npz).

    Arrays: `centre` (n, 3), `size` (n, 3), `rotation` (n, 3, 3) with the own axes as columns, `part` (n,) text,
    `mirror` (n, 4), a plane or NaN. As records have them: reflections that belong to a half model are not listed.

    Raises:
        InputError: there are no solids, the suffix is another one, or the file cannot be written.
        MissingPackageError: a mesh is asked for and trimesh is not installed.
    """
    path = Path(path)
    kind = pick("suffix of a file of solids", path.suffix.lower(), WRITTEN)
    if kind in (".glb", ".obj"):
        write_meshes(path, solids)
        return
    if not solids:
        raise InputError("There are no solids to write.")
    if kind == ".json":
        try:
            write_atomic(path, (Scene(id, solids=tuple(solids)).validate().to_json() + "\n").encode())
        except OSError as error:
            raise InputError(f"Cannot write {str(path)!r}: {error.strerror or error}.") from error
        return
    cuboids = Cuboids.of(solids)
    planes = [(np.nan,) * 4 if solid.mirror is None else solid.mirror for solid in solids]
    with staged_file(path) as part, part.open("wb") as file:
        np.savez(
            file,
            centre=cuboids.centre.numpy(),
            size=cuboids.size.numpy(),
            rotation=cuboids.rotation.numpy(),
            part=np.array([solid.part or "" for solid in solids]),
            mirror=np.array(planes, np.float64),
        )
