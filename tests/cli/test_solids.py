"""`lichen solids fit`, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lichen.cli.main import main
from lichen.scene import Scene

pytest.importorskip("trimesh")


def table(folder: Path) -> Path:
    voxels = np.zeros((16, 16, 16), bool)
    voxels[1:15, 3:13, 11:13] = True
    voxels[2:4, 4:6, 1:11] = voxels[12:14, 4:6, 1:11] = True
    np.save(folder / "table.npy", voxels)
    return folder / "table.npy"


def test_voxels_become_cuboids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outs = [tmp_path / f"out.{ending}" for ending in ("glb", "json", "npz")]
    words = [word for out in outs for word in ("--out", str(out))]
    assert main(["solids", "fit", str(table(tmp_path)), *words, "--draw", str(tmp_path / "out.png")]) == 0
    said = capsys.readouterr()
    assert "2 cuboids, 3 with reflections; voxel IoU 1.000" in said.out and "little is left" in said.out
    assert all(out.exists() for out in outs)
    scene = Scene.from_json(outs[1].read_text("utf-8")).validate()
    assert scene.solids[0].size == pytest.approx((14, 10, 2), abs=0.5)
    with Image.open(tmp_path / "out.png") as picture:
        assert min(picture.size) > 300


def test_json_and_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solids", "fit", str(table(tmp_path)), "--mirror", "off", "--parts", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["stopped"] == "most" and told["cuboids"] == len(told["solids"]) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent.obj"], "There is no file"),
        (["a.npy", "--up", "x"], "Unknown value of --up"),
        (["a.npy", "--mirror", "of"], "Did you mean 'off'"),
        (["a.npy", "--parts", "0"], "--parts must be at least 1"),
        (["a.npy", "--out", "a.stl"], "--out takes a file that ends in"),
    ],
)
def test_wrong_words(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solids", "fit", *words]) == 2
    assert message in capsys.readouterr().err
