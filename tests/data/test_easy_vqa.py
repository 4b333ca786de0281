"""`kind = "easy-vqa"`: the questions of a Python package."""

from __future__ import annotations

import importlib.util

import pytest

from lichen.data import easy_vqa
from lichen.data.config import DataConfig
from lichen.data.readers import load
from lichen.errors import CheckpointError, MissingPackageError


def test_pictures_with_their_questions() -> None:
    if importlib.util.find_spec("easy_vqa") is None:
        pytest.skip("the package easy-vqa is not installed: pip install --no-deps easy-vqa==1.0")
    found = load(DataConfig("easy-vqa", limit=20, eval_limit=10))
    assert {split: len(rows) for split, rows in found.splits.items()} == {"train": 20, "dev": 10, "test": 10}
    whole = load(DataConfig("easy-vqa", holdout=0.0))
    assert {split: len(rows) for split, rows in whole.splits.items()} == {"train": 4000, "test": 1000}
    asked = [question for scene in whole.scenes for question in scene.questions]
    assert len(asked) == 38575 + 9673
    assert {answer for question in asked for answer in question.answers} >= {"yes", "no", "circle", "teal"}
    assert {question.kind for question in asked} == {"yes/no", "colour", "shape"}
    assert whole.picture(0).size == whole.scenes[0].size == (64, 64)


def test_a_package_that_is_absent_or_altered_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(easy_vqa, "_SHA256", {"train": "0" * 64})
    expected = CheckpointError if importlib.util.find_spec("easy_vqa") else MissingPackageError
    with pytest.raises(expected, match=r"easy-vqa==1\.0"):
        load(DataConfig("easy-vqa"))
