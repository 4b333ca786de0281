"""Boxes that a detector finds once: kept, read again, fitted to the classes of a task; given to a user's pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lichen.data.dataset import Dataset
from lichen.errors import CheckpointError, InputError
from lichen.regions import Regions
from lichen.scene import Entity, Scene
from lichen.tasks import boxes as finding
from lichen.tasks.boxes import BoxesConfig, find_boxes, only_entities, relabelled, with_boxes

from .boxed import COLOURS, SIDE, Seeing, dataset, scene, squares

DATA = dataset()
CONFIG = BoxesConfig(source="seeing")


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(finding, "load_detector", lambda name, config: Seeing())
    monkeypatch.setattr(finding, "cache_root", lambda: tmp_path / "cache")
    finding._detector.cache_clear()
    Seeing.calls = 0
    return tmp_path / "cache"


def test_boxes_are_found_once_and_read_again() -> None:
    told: list[tuple[int, int]] = []
    rows = tuple(range(40))
    first = find_boxes(DATA, rows, CONFIG, lambda done, total: told.append((done, total)))
    again = find_boxes(DATA, rows, CONFIG)
    assert Seeing.calls == len(rows) and told == [(32, 40), (40, 40)]
    assert torch.equal(first.regions.boxes, again.regions.boxes) and torch.equal(
        first.regions.scores, again.regions.scores
    )
    assert first.regions.counts.tolist() == [len(squares(row)) + 1 for row in rows]
    assert again.names == Seeing.names and again.ids == tuple(DATA.ids[row] for row in rows)


def test_other_rows_settings_or_pictures_are_looked_at_anew() -> None:
    rows = (0, 1)
    find_boxes(DATA, rows, CONFIG)
    for data, some, config in (
        (DATA, (1, 0), CONFIG),
        (DATA, rows, replace(CONFIG, threshold=0.5)),
        (replace(DATA, pixels=DATA.pixels // 2), rows, CONFIG),  # type: ignore[operator]
    ):
        before = Seeing.calls
        find_boxes(data, some, config)
        assert Seeing.calls == before + 2


def test_a_folder_with_other_weights_is_another_detector(tmp_path: Path) -> None:
    folder = tmp_path / "detector"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"1")
    config = BoxesConfig(source=str(folder))
    find_boxes(DATA, (0,), config)
    (folder / "model.safetensors").write_bytes(b"12")
    find_boxes(DATA, (0,), config)
    assert Seeing.calls == 2


def test_a_damaged_cache_is_told(cache: Path) -> None:
    find_boxes(DATA, (0, 1), CONFIG)
    (file,) = cache.rglob("*.safetensors")
    file.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"regions"):
        find_boxes(DATA, (0, 1), CONFIG)


def test_a_broken_picture_has_no_boxes_and_no_pictures_are_none(tmp_path: Path) -> None:
    Image.fromarray(DATA.pixels[0]).save(tmp_path / "good.png")  # type: ignore[index]
    (tmp_path / "bad.png").write_bytes(b"no picture")
    scenes = tuple(Scene(name, image=str(tmp_path / f"{name}.png")) for name in ("bad", "good"))
    data = Dataset(scenes, {"train": (0, 1)})
    assert find_boxes(data, (0, 1), CONFIG).regions.counts.tolist() == [0, len(squares(0)) + 1]
    assert find_boxes(data, (), CONFIG).regions.pictures == 0
    assert find_boxes(data, (0,), CONFIG).regions.counts.tolist() == [0]


def test_classes_of_a_task_have_their_own_numbers() -> None:
    boxes = [[0.0, 0.0, 5.0, 5.0]] * 4
    found = Regions.make(boxes, [(9.0, 9.0)], picture=[0] * 4, labels=[2, 0, -1, 1])
    fitted = relabelled(found, ("cat", "dog", "cow"), ("cow", "dog"))
    assert fitted.labels.tolist() == [0, 1] and fitted.pictures == 1


def test_pictures_without_boxes_get_them_in_the_size_of_their_scene() -> None:
    picture = Image.fromarray(DATA.pixels[0])  # type: ignore[index]
    bare, boxed = Scene("bare", size=(2 * SIDE, SIDE)), scene(1)
    found = with_boxes([bare, boxed, replace(bare, id="second")], [picture] * 3, CONFIG)
    assert found[1] is boxed and Seeing.calls == 2
    true = {COLOURS[colour]: (column, line) for colour, column, line in squares(0)}
    seen = {thing.label: thing.box for thing in found[0].entities if thing.label != "ghost"}
    assert seen.keys() == true.keys() and all(thing.score == 0.75 for thing in found[0].entities)
    for label, (column, _) in true.items():
        assert seen[label] is not None and seen[label][0] == 2 * (8 * column + 1)
    with pytest.raises(InputError, match=r"'bare' comes without boxes.*--detector embedded:ssd-mobilenet"):
        with_boxes([bare], [picture], BoxesConfig())
    assert with_boxes([boxed], [picture], BoxesConfig()) == [boxed]


def test_some_entities_alone() -> None:
    found = only_entities(scene(1), [1])
    assert found.entities == (scene(1).entities[1],) and not found.relations and not found.phrases
    assert only_entities(Scene("s", entities=(Entity("a"),)), []).entities == ()


def test_bad_settings() -> None:
    with pytest.raises(InputError, match="source is empty"):
        BoxesConfig(source="")
    with pytest.raises(InputError, match="score from 0 to 1; got 2"):
        BoxesConfig(threshold=2.0)
    with pytest.raises(InputError, match="most=0"):
        BoxesConfig(most=0)
    assert not BoxesConfig().found and np.isclose(CONFIG.detector().threshold, 0.2)
