"""The examples of docs/boxes-in-words.md run and print what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lichen.language

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "boxes-in-words.md").read_text("utf-8")


def test_the_examples_print_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    code = "\n".join(blocks)
    exec(compile(code, "docs/boxes-in-words.md", "exec"), {})
    told = [re.split(r"\s{3,}# ", line)[1] for line in code.splitlines() if line.startswith("print(")]
    assert capsys.readouterr().out.splitlines() == told and len(told) == 10


def test_every_public_name_is_in_the_table() -> None:
    told = set(re.findall(r"`([^`\n]+)`", PAGE))
    assert set(lichen.language.__all__) <= told
