"""The user's own meshes and voxels in, cuboids out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lichen.errors import InputError
from lichen.scene import Scene, Solid
from lichen.scene.meshes import read_meshes, write_meshes
from lichen.solids import Cuboids, iou, read_grid, voxelise, write_solids

pytest.importorskip("trimesh")
pytest.importorskip("scipy")
PLANE = (1.0, 0.0, 0.0, 0.0)
SOLIDS = (
    Solid((0.0, 0.2, 1.0), (1.6, 1.0, 0.2), part="top"),
    Solid((-0.6, 0.0, 0.5), (0.3, 0.3, 0.9), part="leg", mirror=PLANE),
)


@pytest.mark.parametrize("name", ["table.glb", "table.obj"])
def test_a_mesh_is_filled_where_its_cuboids_are(name: str, tmp_path: Path) -> None:
    write_meshes(tmp_path / name, SOLIDS)
    grid = read_grid(tmp_path / name, 24)
    cuboids = Cuboids.of(SOLIDS).completed(PLANE)
    least = torch.tensor(grid.least).double()
    wanted = voxelise(cuboids.moved(1 / grid.scale, -least / grid.scale), 24)
    assert float(iou(grid.occupancy, wanted)) > 0.97
    # The longest edge, 1.6, takes 15/16 of the grid; and back into the object's own units.
    assert grid.scale == pytest.approx(1.6 * 16 / 15 / 24)
    back = grid.to_object(cuboids.moved(1 / grid.scale, -least / grid.scale))
    torch.testing.assert_close(back.corners(), cuboids.corners())


def test_up(tmp_path: Path) -> None:
    import trimesh

    trimesh.creation.box(extents=(1.0, 2.0, 4.0)).export(tmp_path / "box.stl")
    as_z, as_y = (read_grid(tmp_path / "box.stl", 16, up).occupancy.nonzero() for up in ("z", "y"))
    assert (np.ptp(as_z.numpy(), 0) + 1).tolist() == [4, 8, 15] or (np.ptp(as_z.numpy(), 0) + 1)[2] >= 14
    assert np.ptp(as_y.numpy(), 0)[1] > np.ptp(as_y.numpy(), 0)[2] > np.ptp(as_y.numpy(), 0)[0]


def test_voxels(tmp_path: Path) -> None:
    array = np.zeros((8, 8, 8))
    array[2:4, 1:7, 3] = 1.0
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "b.npz", voxels=array, other=np.zeros(2))
    np.savez(tmp_path / "c.npz", some=array)
    for name in ("a.npy", "b.npz", "c.npz"):
        assert int(read_grid(tmp_path / name).occupancy.sum()) == 12


@pytest.mark.parametrize("ending", ["json", "npz", "glb", "obj"])
def test_what_is_written(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"table.{ending}"
    write_solids(path, SOLIDS, "table")
    if ending == "json":
        scene = Scene.from_json(path.read_text("utf-8"))
        assert scene.solids == SOLIDS and scene.id == "table"
    elif ending == "npz":
        with np.load(path, allow_pickle=False) as file:
            assert file["centre"].shape == file["size"].shape == (2, 3)
            assert file["part"].tolist() == ["top", "leg"]
            assert np.isnan(file["mirror"][0]).all() and file["mirror"][1].tolist() == list(PLANE)
    else:
        assert len(read_meshes(path)) == (2 if ending == "glb" else 3)


def test_wrong_files(tmp_path: Path) -> None:
    import trimesh

    with pytest.raises(InputError, match="There is no file"):
        read_grid(tmp_path / "absent.obj")
    with pytest.raises(InputError, match="Unknown suffix"):
        read_grid(tmp_path / "a.txt")
    (tmp_path / "broken.glb").write_bytes(b"glTF nonsense")
    with pytest.raises(InputError, match="cannot be read as a mesh"):
        read_grid(tmp_path / "broken.glb")
    (tmp_path / "broken.npy").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be read as an array"):
        read_grid(tmp_path / "broken.npy")
    np.save(tmp_path / "empty.npy", np.zeros((6, 6, 6)))
    with pytest.raises(InputError, match="none of its 216 voxels"):
        read_grid(tmp_path / "empty.npy")
    np.save(tmp_path / "flat.npy", np.zeros((6, 6)))
    with pytest.raises(InputError, match="cubic grid of numbers"):
        read_grid(tmp_path / "flat.npy")
    np.savez(tmp_path / "two.npz", a=np.zeros(2), b=np.zeros(2))
    with pytest.raises(InputError, match="no array 'voxels'"):
        read_grid(tmp_path / "two.npz")
    box = trimesh.creation.box()
    trimesh.Trimesh(box.vertices, box.faces[1:]).export(tmp_path / "hole.obj")
    with pytest.raises(InputError, match="not watertight"):
        read_grid(tmp_path / "hole.obj")
    trimesh.creation.box(extents=(1.0, 1.0, 1e-4)).export(tmp_path / "sheet.stl")
    with pytest.raises(InputError, match="thinner than that"):
        read_grid(tmp_path / "sheet.stl", 32, "z")
    with pytest.raises(InputError, match="no solids"):
        write_solids(tmp_path / "a.npz", ())
