"""What all detectors share: settings, the choice of boxes, given boxes, names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from lichen.errors import InputError
from lichen.regions import Regions, boxed
from lichen.regions.detectors import EMBEDDED, DetectorConfig, GivenBoxes, load_detector
from lichen.regions.detectors.coco import IDS, NAMES
from lichen.regions.detectors.detector import finish
from lichen.scene import Entity, Scene

NAMES_GIVEN = ("cat", "dog")


def scene(id: str, size: tuple[int, int] | None) -> Scene:
    entities = (
        Entity("dog", (10.0, 20.0, 30.0, 40.0)),
        Entity("sky"),
        Entity("cat", (0.0, 0.0, 100.0, 50.0), score=0.5),
    )
    return Scene(id, size=size, entities=entities)


def test_given_boxes_are_those_of_the_scenes() -> None:
    detector = GivenBoxes(NAMES_GIVEN)
    pictures = [Image.new("RGB", (100, 50)), Image.new("L", (100, 50))]
    scenes = [scene("a", (100, 50)), Scene("b", size=None)]
    regions = detector(pictures, scenes).validate()
    assert detector.names == NAMES_GIVEN and regions.counts.tolist() == [2, 0]
    assert regions.labels.tolist() == [1, 0] and regions.scores.tolist() == [1, 0.5]
    assert boxed(scenes[0]) == (0, 2) and regions.boxes[0].tolist() == [10, 20, 30, 40]


def test_given_boxes_follow_the_size_of_the_picture() -> None:
    regions = GivenBoxes(("cat", "dog", "sky"))([Image.new("RGB", (50, 100))], [scene("a", (100, 50))])
    assert regions.sizes.tolist() == [[50, 100]] and regions.boxes[0].tolist() == [5, 40, 15, 80]
    unsized = GivenBoxes(("cat", "dog", "sky"))([Image.new("RGB", (200, 100))], [scene("a", None)])
    assert unsized.boxes[0].tolist() == [10, 20, 30, 40]


def test_given_boxes_need_scenes() -> None:
    detector, picture = GivenBoxes(NAMES_GIVEN), Image.new("RGB", (8, 8))
    with pytest.raises(InputError, match="pass scenes="):
        detector([picture])
    with pytest.raises(InputError, match="2 pictures but 1 scenes"):
        detector([picture, picture], [scene("a", (8, 8))])
    with pytest.raises(InputError, match="'owl'"):
        detector([picture], [Scene("a", entities=(Entity("owl", (0.0, 0.0, 4.0, 4.0)),))])


def test_pictures_that_are_none(unchecked: None) -> None:
    detector = GivenBoxes(NAMES_GIVEN)
    with pytest.raises(InputError, match="Put it into a list"):
        detector(Image.new("RGB", (8, 8)), [])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Picture 1 must be a PIL image; got a str"):
        detector([Image.new("RGB", (8, 8)), "street.jpg"], [scene("a", None)] * 2)  # type: ignore[list-item]


def test_which_boxes_are_kept() -> None:
    found = Regions(
        boxes=torch.tensor(
            [
                [-5.0, 0, 10, 10],  # reaches out of the picture
                [0.0, 0, 10, 10],  # the same inside, less sure
                [0.0, 0, 10, 10],  # of another class
                [60.0, 0, 70, 10],  # outside
                [20.0, 0, 20, 10],  # without area
                [30.0, 0, 40, 10],  # too unsure
                [30.0, 20, 40, 30],
            ]
        ),
        picture=torch.zeros(7, dtype=torch.long),
        sizes=torch.tensor([[50.0, 50]]),
        labels=torch.tensor([0, 0, 1, 0, 0, 0, 0]),
        scores=torch.tensor([0.9, 0.8, 0.7, 0.9, 0.9, 0.1, 0.95]),
    )
    kept = finish(found, DetectorConfig()).validate()
    assert kept.boxes.tolist() == [[30, 20, 40, 30], [0, 0, 10, 10], [0, 0, 10, 10]]
    assert kept.labels.tolist() == [0, 0, 1]
    assert len(finish(found, DetectorConfig(overlap=None))) == 4
    assert len(finish(found, DetectorConfig(overlap=None, threshold=0.0))) == 5
    most = finish(found, DetectorConfig(most=2))
    torch.testing.assert_close(most.scores, torch.tensor([0.95, 0.9]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"threshold": 1.5}, "score from 0 to 1"),
        ({"overlap": -0.1}, "IoU from 0 to 1, or None"),
        ({"most": 0}, "most=0"),
        ({"batch": 0}, "batch=0"),
    ],
)
def test_settings_that_make_no_sense(values: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DetectorConfig(**values)  # type: ignore[arg-type]


def test_names_of_detectors(tmp_path: Path) -> None:
    assert set(EMBEDDED) >= {"ssd-mobilenet"}
    with pytest.raises(InputError, match="Did you mean 'ssd-mobilenet'"):
        load_detector("embedded:ssd-mobilnet")
    with pytest.raises(InputError, match="runs on the CPU only"):
        load_detector("embedded:ssd-mobilenet", device="meta")
    with pytest.raises(InputError, match="No usable object detector in folder"):
        load_detector(tmp_path)


def test_coco_classes_equal_the_shared_list(shared_data: Path) -> None:
    rows = [line.split(",") for line in (shared_data / "classes" / "coco_80.csv").read_text().splitlines()[1:]]
    assert [row[1] for row in rows] == list(NAMES)
    assert [int(row[2]) for row in rows] == list(IDS)


def test_coco_classes() -> None:
    assert len(NAMES) == len(IDS) == len(set(NAMES)) == 80
    known = dict(zip(NAMES, IDS, strict=True))
    assert (known["person"], known["stop sign"], known["chair"], known["toothbrush"]) == (1, 13, 62, 90)
