"""The page on solids and clips runs as written and prints what it says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PAGE = Path(__file__).resolve().parents[4] / "docs" / "playground-solids-and-clips.md"


@pytest.mark.slow
def test_the_page_makes_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert len(found) == 3
    monkeypatch.chdir(tmp_path)
    Path("page.py").write_text("\n".join(found), encoding="utf-8")
    runpy.run_path("page.py", run_name="page")
    told = capsys.readouterr().out
    assert told.startswith("A pink wooden-frame sofa") and "9 of 16 solids" in told
    assert "67 % have something hidden" in told and "48 % a camera that pans" in told
    for name in ("playground-solids.png", "playground-clips.png"):
        assert (np.asarray(Image.open(name)) == np.asarray(Image.open(PAGE.parent / "images" / name))).all()
