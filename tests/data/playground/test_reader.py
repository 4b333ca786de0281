"""The playground as data of a recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lichen.data.config import DataConfig
from lichen.data.playground import CLASSES, PREDICATES, Playground, dataset
from lichen.data.playground.make import make
from lichen.data.playground.reader import labels_of
from lichen.data.readers import load
from lichen.errors import InputError
from lichen.scene import Entity, Label, Relation, Scene
from lichen.tasks.classify import Classify
from lichen.tasks.retrieve import Retrieve

COUNTS = {"train": 5, "val": 2, "test": 2, "unseen": 2}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dataset.SIZES, "smoke", COUNTS)


def test_made_in_memory() -> None:
    config = DataConfig(kind="playground", size="smoke", label="objects", pixels=48)
    found = load(config)
    assert {split: len(rows) for split, rows in found.splits.items()} == {"train": 5, "dev": 2, "test": 2}
    assert found.classes == CLASSES and found.multi_label and found.has_pictures
    pixels, scene = Playground(size=5, width=48, height=48)[4]
    row = found.ids.index(scene.id)
    assert np.array_equal(np.asarray(found.picture(row)), pixels)
    assert {label.name for label in found.scenes[row].labels} == {entity.label for entity in scene.entities}
    assert found.targets([row]).sum() == len(found.scenes[row].labels)
    assert len(found.scenes[row].captions) >= 4
    assert Classify.parts(config) == ("input",) and Retrieve.parts(config) == ("image", "text")


def test_read_from_a_folder(tmp_path: Path) -> None:
    make(tmp_path / "pg", "smoke")
    config = DataConfig(kind="playground", path="pg", test="unseen", label="interactions")
    found = load(config, tmp_path)
    assert len(found.classes) == len(PREDICATES) * len(CLASSES) and found.multi_label
    rows = found.rows("test")
    assert [found.ids[row] for row in rows] == [f"playground-unseen-{n:06d}" for n in range(2)]
    assert found.picture(rows[0]).size == (96, 96)
    assert found.pixels is None


def test_labels() -> None:
    scene = Scene(
        "a",
        labels=(Label("snow"),),
        entities=(Entity("man"), Entity("sled"), Entity("man")),
        relations=(Relation(0, "pulling", 1), Relation(2, "pulling", 1)),
    )
    assert labels_of(scene, "place") == (Label("snow"),)
    assert labels_of(scene, "objects") == (Label("man"), Label("sled"))
    assert labels_of(scene, "interactions") == (Label("pulling sled"),)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": "smal"}, "Did you mean 'small'"),
        ({"label": "object"}, "Did you mean 'objects'"),
        ({"size": "full"}, "lichen data make playground --size full"),
        ({"test": "train"}, "one split twice"),
        ({"test": "tset"}, "Did you mean 'test'"),
        ({"path": "nowhere"}, "no file or folder"),
    ],
)
def test_wrong_settings(values: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load(DataConfig(kind="playground", **values), tmp_path)  # type: ignore[arg-type]
