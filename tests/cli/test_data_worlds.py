"""`lichen data make` of the worlds beside the pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lichen.cli.main import main
from lichen.data.playground.clips import dataset as clips
from lichen.data.playground.solids import dataset as solids


@pytest.mark.parametrize(("world", "unit", "count"), [("solids", "views", 12), ("clips", "clips", 3)])
def test_make_and_inspect(
    world: str,
    unit: str,
    count: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module in (solids, clips):
        monkeypatch.setitem(module.SIZES, "smoke", {"train": 1, "val": 1, "test": 1})
    target = tmp_path / "made"
    assert main(["data", "make", world, "--size", "smoke", "--out", str(target), "--pixels", "32"]) == 0
    out, err = capsys.readouterr()
    assert f"{count} {unit} in" in out and f"of {count // 3} {unit}" in err
    assert json.loads((target / "manifest.json").read_text())["picture"] == [32, 32]
    assert main(["data", "inspect", str(target), "--check"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("scenes") and "all digests match" in err
    assert (target / "contact-sheet.png").is_file()


@pytest.mark.parametrize("world", ["solids", "clips"])
def test_edges_out_of_range_are_refused(world: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "make", world, "--out", str(tmp_path / "x"), "--pixels", "4"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "--pixels: size must lie between" in err and not (tmp_path / "x").exists()
