"""A blank sheet needs no window; a missing package is told before hours of work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from lichen.errors import MissingPackageError
from lichen.figures import blank_figure, check_can_draw


def test_a_sheet_has_the_size_asked_for(tmp_path: Path) -> None:
    blank_figure(2.0, 1.0).savefig(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as drawn:
        assert drawn.size == (300, 150)
    # pyplot keeps every figure that it made, and may want a window.
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    check_can_draw()
    monkeypatch.setattr("lichen.figures.find_spec", lambda name: None)
    for call in (check_can_draw, lambda: blank_figure(1.0, 1.0)):
        with pytest.raises(MissingPackageError, match="pip install matplotlib"):
            call()
