"""`docs/formats.md`: what it shows runs and prints what stands there, and what it lists is complete."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

from lichen.cli.main import main
from lichen.data.formats import FORMATS
from lichen.data.formats.problems import KINDS, LISTED
from lichen.data.formats.samples import KNOWN

PAGE = Path(__file__).resolve().parents[3] / "docs" / "formats.md"
if not PAGE.is_file():
    pytest.skip("the documentation is not here", allow_module_level=True)
TEXT = PAGE.read_text("utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of the table whose first heading this is."""
    rows = TEXT[TEXT.index(f"\n| {heading} |") + 1 :].split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows[2:]]


def test_what_it_shows_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE):
        if language == "python":
            script = tmp_path / "page.py"
            script.write_text(block, encoding="utf-8")
            runpy.run_path(str(script), run_name="page")
        elif language == "bash":
            for line in block.splitlines():
                assert main(shlex.split(line)[1:]) == 0
        else:
            assert capsys.readouterr().out.startswith(block)
    out = capsys.readouterr().out
    assert "[2, 0] {'box partly outside': 1, 'unknown class': 1, 'missing picture': 1}" in out
    assert "instances_val.json: annotations[2]: has category 5, which is not listed" in out
    assert (tmp_path / "shop.png").stat().st_size > 0


def test_all_formats_and_kinds_of_problems_are_listed() -> None:
    names = [name for row in table("`--from`") for name in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(names) == sorted(FORMATS)
    assert {name for row in table("kind") for name in re.findall(r"`([^`]+)`", row[0])} == set(KINDS)
    assert LISTED == 5 and all(f"`{name}`" in TEXT for name in KNOWN)
