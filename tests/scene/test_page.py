"""The page about scenes runs as written and names every field."""

from __future__ import annotations

import re
import runpy
from dataclasses import fields
from pathlib import Path

import pytest

from lichen.scene import Scene
from lichen.scene.drawing import DrawConfig
from lichen.scene.scene import PARTS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scene.md").read_text("utf-8")


def test_its_code_runs_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("pyarrow", "trimesh", "av"):
        pytest.importorskip(package)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    monkeypatch.chdir(tmp_path)
    Path("page.py").write_text("\n".join(blocks), encoding="utf-8")
    runpy.run_path("page.py", run_name="page")


def test_every_field_and_option_is_named() -> None:
    told = set(re.findall(r"`([^`\n]+)`", PAGE))
    for kind in (Scene, DrawConfig, *PARTS.values()):
        missing = {field.name for field in fields(kind)} - told
        assert not missing, kind.__name__


def test_defaults_of_options_are_the_real_ones() -> None:
    config = DrawConfig()
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]+) \|", PAGE.split("| option |")[1], flags=re.MULTILINE)
    told = {}
    for names, values in rows:
        told |= dict(zip(re.findall(r"\w+", names), values.strip().split(", "), strict=True))
    assert told == {field.name: str(getattr(config, field.name)) for field in fields(DrawConfig)}
