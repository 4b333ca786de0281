"""Solids as GLB and OBJ and back."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lichen.errors import InputError, MissingPackageError
from lichen.scene import Solid
from lichen.scene.geometry import complete, corners
from lichen.scene.meshes import read_meshes, write_meshes

from .strategies import solids

trimesh = pytest.importorskip("trimesh")

PLANE = (1.0, 0.0, 0.0, 0.0)
COS, SIN = float(np.cos(0.3)), float(np.sin(0.3))
CHAIR = (
    Solid((0.0, 0.0, 10.0), (14.0, 12.0, 2.0), part="seat", score=0.75),
    Solid((0.0, 6.0, 18.0), (14.0, 1.0, 16.0), (1.0, 0.0, 0.0, 0.0, COS, SIN, 0.0, -SIN, COS), "back rest"),
    Solid((-6.0, -5.0, 4.5), (2.0, 2.0, 9.0), part="leg", mirror=PLANE),
    Solid((0.0, 0.0, 30.0), (1.0, 2.0, 3.0)),
)


def same(found: tuple[Solid, ...], wanted: tuple[Solid, ...], tolerance: float) -> bool:
    """Whether every solid has the corners of the one in its place, in whatever order of corners."""
    gaps = np.linalg.norm(corners(found)[:, :, None] - corners(wanted)[:, None], axis=-1)
    return len(found) == len(wanted) and float(gaps.min(2).max()) <= tolerance


def test_glb_keeps_everything(tmp_path: Path) -> None:
    write_meshes(tmp_path / "chair.glb", CHAIR)
    assert read_meshes(tmp_path / "chair.glb") == CHAIR


def test_obj_keeps_boxes_and_parts_and_shows_reflections(tmp_path: Path) -> None:
    write_meshes(tmp_path / "chair.obj", CHAIR)
    found = read_meshes(tmp_path / "chair.obj")
    assert same(found, complete(CHAIR), 1e-9)
    assert [solid.part for solid in found] == ["seat", "back rest", "leg", None, "leg"]
    np.testing.assert_allclose(found[1].size, CHAIR[1].size, atol=1e-9)


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_files_stand_upright_with_outward_faces(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"box{suffix}"
    write_meshes(path, [Solid((1.0, 2.0, 3.0), (2.0, 4.0, 6.0))])
    mesh = trimesh.load_mesh(path)
    # What is high has a large y and what is in front a large z; the object's right is a viewer's left.
    np.testing.assert_allclose(mesh.bounds, [[-2, 0, 0], [0, 6, 4]], atol=1e-6)
    assert mesh.is_watertight and mesh.volume == pytest.approx(48.0)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(solids(extent=10.0), min_size=1, max_size=3).map(tuple))
def test_there_and_back(tmp_path: Path, written: tuple[Solid, ...]) -> None:
    write_meshes(tmp_path / "a.glb", written)
    assert read_meshes(tmp_path / "a.glb") == written
    write_meshes(tmp_path / "a.obj", written)
    assert same(read_meshes(tmp_path / "a.obj"), complete(written), 1e-6)


def test_meshes_of_others_become_the_cuboids_around_them(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(0.5, [0, 1, 0], [3, 0, 0])
    scene.add_geometry(trimesh.creation.box((1.0, 2.0, 3.0)), node_name="crate", geom_name="crate", transform=turn)
    scene.add_geometry(trimesh.creation.cylinder(radius=1.0, height=4.0), node_name="drum", geom_name="drum")
    scene.export(tmp_path / "theirs.glb")
    crate, drum = read_meshes(tmp_path / "theirs.glb")
    assert (crate.part, drum.part) == ("crate", "drum")
    np.testing.assert_allclose(sorted(crate.size), [1, 2, 3], atol=1e-5)
    np.testing.assert_allclose(sorted(drum.size), [2, 2, 4], atol=0.05)
    # A turn about their upright axis is one about z.
    np.testing.assert_allclose(abs(np.array(crate.rotation).reshape(3, 3)[2]).max(), 1.0, atol=1e-6)


def test_damage_is_told(tmp_path: Path) -> None:
    write_meshes(tmp_path / "a.glb", CHAIR)
    (tmp_path / "a.glb").write_bytes((tmp_path / "a.glb").read_bytes()[:200])
    with pytest.raises(InputError, match="cannot be read as GLB"):
        read_meshes(tmp_path / "a.glb")
    (tmp_path / "flat.obj").write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3\nf 1 3 4\n")
    with pytest.raises(InputError, match="has no volume: 4 different points"):
        read_meshes(tmp_path / "flat.obj")
    with pytest.raises(InputError, match="cannot be read as OBJ"):
        read_meshes(tmp_path / "absent.obj")


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Unknown suffix of a file of solids '\.stl'"):
        write_meshes(tmp_path / "a.stl", CHAIR)
    with pytest.raises(InputError, match="no solids to write"):
        write_meshes(tmp_path / "a.glb", ())


def test_without_trimesh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'lichen\[solids\]'"):
        write_meshes(tmp_path / "a.glb", CHAIR)
