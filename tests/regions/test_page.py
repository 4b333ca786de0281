"""The example of docs/regions.md runs and prints what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lichen.regions

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "regions.md").read_text("utf-8")


def test_the_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    exec(compile(block, "docs/regions.md", "exec"), {})
    told = [re.split(r"\s{3,}# ", line)[1] for line in block.splitlines() if line.startswith("print(")]
    assert capsys.readouterr().out.splitlines() == told and len(told) == 3


def test_every_public_name_is_in_the_table() -> None:
    table = set(re.findall(r"`([^`\n]+)`", PAGE))
    absent = [name for name in lichen.regions.__all__ if name not in table]
    # Types behind CODES, what -1 means and what `from_scenes` tells are in the text of their modules.
    assert set(absent) <= {"Code", "CoordinateCode", "CellCode", "NO_CLASS", "boxed"}
