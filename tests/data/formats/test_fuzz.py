"""Whatever stands in the files: scenes that hold together, problems that are counted, or one clear error."""

from __future__ import annotations

import json
import random
import zlib
from pathlib import Path

import pytest

from lichen.data.formats import Problems, read_scenes
from lichen.errors import InputError
from lichen.scene import Scene

from .garbage import spoil
from .tiny import LAYOUTS
from .tiny_files import write

ROUNDS = 15
"""Spoiled copies of each layout."""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_garbage_is_counted_or_refused(layout: str, tmp_path: Path) -> None:
    check(layout, tmp_path, range(ROUNDS))


def check(layout: str, folder: Path, seeds: range) -> None:
    format, make = LAYOUTS[layout]
    files = make()
    for seed in seeds:
        chance = random.Random(zlib.crc32(f"{layout}/{seed}".encode()))
        place = write(spoil(files, chance, chance.randint(1, 4)), folder / str(seed))
        problems = Problems()
        try:
            scenes = list(read_scenes(format, [place], problems=problems, look=seed % 2 == 0))
        except InputError as error:
            assert str(error).encode() and len(str(error)) < 5000, f"seed {seed}"
            continue
        for scene in scenes:
            assert Scene.from_json(scene.to_json()) == scene.validate(), f"seed {seed}"
        assert len({scene.id for scene in scenes}) == len(scenes)
        assert json.dumps(problems.to_dict()).encode()
        strict(format, place, bool(problems), look=seed % 2 == 0)


def strict(format: str, place: Path, bad: bool, *, look: bool) -> None:
    """Strict reading stops where the other one counted something, and only there."""
    try:
        list(read_scenes(format, [place], look=look))
        stopped = False
    except InputError:
        stopped = True
    assert stopped == bad
