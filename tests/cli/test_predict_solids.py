"""`lichen predict` of a run that names solids: text, drawing, mesh; what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lichen.cli.main import main
from lichen.errors import MissingPackageError
from lichen.scene.meshes import read_meshes
from lichen.training.pipeline import train
from lichen.training.recipe import load_recipe

pytest.importorskip("trimesh")
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("solids")
    changes = ["train.steps=2", "data.views=1", "data.pixels=48", f"store.folder={folder / 'store'}"]
    try:
        train(load_recipe("playground-solids", changes, smoke=True), folder / "run", quiet=True)
    except MissingPackageError as error:
        pytest.skip(str(error))
    Image.new("RGB", (80, 60), (200, 180, 160)).save(folder / "photo.png")
    return folder


def test_a_picture_becomes_a_mesh(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn, mesh = tmp_path / "drawn.png", tmp_path / "mesh.glb"
    assert main(["predict", str(run / "run"), str(run / "photo.png"), "--draw", str(drawn), "--glb", str(mesh)]) == 0
    said = capsys.readouterr()
    assert ": size " in said.out and f"written: {mesh}" in said.err
    solids = read_meshes(mesh)
    assert solids and all(solid.part for solid in solids)
    with Image.open(drawn) as picture:
        # The photograph, the cuboids over it, and two more sides.
        assert picture.width > 3 * 360


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photo.png", "other.png", "--glb", "m.glb"], "--glb takes the solids of one picture, and there are 2"),
        (["photo.png", "--glb", "m.stl"], "--glb takes a file that ends in .glb, .obj"),
        (["photo.png", "--detector", "embedded:ssd-mobilenet"], "reads no boxes"),
        (["photo.png", "--question", "what?"], "takes no --question"),
    ],
)
def test_what_is_refused(
    words: list[str], message: str, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run)
    Image.new("RGB", (64, 64), (20, 180, 160)).save(run / "other.png")
    assert main(["predict", "run", *words]) == 2
    assert message in capsys.readouterr().err
