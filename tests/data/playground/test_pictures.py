"""Pictures and their ground truth: repeatable, whole, and true of the pixels."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from lichen.data.playground import CLASSES, PREDICATES, UNSEEN, Playground
from lichen.data.playground.compose import HIDDEN, draw
from lichen.errors import InputError
from lichen.scene import Scene

DIGESTS = {
    ("train", 0): ("e624f06c1c8932fc", "ca5a8978254813b3"),
    ("train", 1234): ("dd0f47361e5c89e4", "f1b9fe81a13df635"),
    ("unseen", 5): ("79d64060176164f5", "f4992ecb703e0c79"),
}
"""SHA-256 (first 16 digits) of pixels and of the Scene as JSON. Others mean: raise `world.VERSION`."""


def digests(split: str, index: int) -> tuple[str, str]:
    picture, scene = Playground(split=split, size="small" if index < 500 else "full")[index]
    data = (picture.tobytes(), scene.to_json().encode())
    return hashlib.sha256(data[0]).hexdigest()[:16], hashlib.sha256(data[1]).hexdigest()[:16]


@pytest.mark.parametrize(("split", "index"), DIGESTS)
def test_pictures_and_scenes_are_the_ones_of_this_version(split: str, index: int) -> None:
    assert digests(split, index) == DIGESTS[split, index]


def test_another_process_makes_the_same() -> None:
    code = (
        "import hashlib; from lichen.data.playground import Playground; p = Playground(split='val')\n"
        "p[3]; print(hashlib.sha256(p[7][0].tobytes() + p[7][1].to_json().encode()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    picture, scene = Playground(split="val")[7]
    assert done.stdout.strip() == hashlib.sha256(picture.tobytes() + scene.to_json().encode()).hexdigest()


def test_order_size_and_language_do_not_matter() -> None:
    small, large = Playground(size="smoke"), Playground(size="full")
    later = [large[index] for index in (5, 2)]
    earlier = [small[index] for index in (2, 5)][::-1]
    for (picture, scene), (other, known) in zip(later, earlier, strict=True):
        assert np.array_equal(picture, other) and scene == known
    picture, scene = Playground(size="smoke", language=False)[2]
    assert np.array_equal(picture, small[2][0])
    assert scene.captions == scene.questions == scene.expressions == () and scene.entities == small[2][1].entities


def test_splits_and_seeds_differ() -> None:
    pictures = [
        Playground(seed, split)[0][0].tobytes() for seed in (0, 1) for split in ("train", "val", "test", "unseen")
    ]
    assert len(set(pictures)) == len(pictures)


def test_larger_pictures_show_the_same_scene() -> None:
    for index in range(2):
        (_, small), (picture, large) = Playground()[index], Playground(width=192, height=192)[index]
        assert picture.shape == (192, 192, 3) and large.size == (192, 192)
        assert [e.label for e in small.entities] == [e.label for e in large.entities]
        assert np.allclose(2 * small.boxes, large.boxes, atol=3.0)
        assert small.captions == large.captions


def test_wide_pictures() -> None:
    picture, scene = Playground(width=160, height=96)[3]
    assert picture.shape == (96, 160, 3) and scene.size == (160, 96)
    scene.validate()


@pytest.fixture(scope="module")
def pictures() -> list[tuple[np.ndarray, Scene]]:
    return list(Playground(size=26))


@pytest.fixture(scope="module")
def scenes(pictures: list[tuple[np.ndarray, Scene]]) -> list[Scene]:
    return [scene for _, scene in pictures]


def test_scenes_hold_together(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert Scene.from_json(scene.validate().to_json()) == scene
        assert scene.entities and len(scene.captions) >= 1
        boxes = scene.boxes
        assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= 96).all() and (boxes[:, 2:] - boxes[:, :2] > 0.9).all()
        assert {e.label for e in scene.entities} <= set(CLASSES)
        assert {r.predicate for r in scene.relations} <= set(PREDICATES)
        assert all(r.subject != r.object for r in scene.relations)
        triples = [(r.subject, r.predicate, r.object) for r in scene.relations]
        assert len(set(triples)) == len(triples)
        assert not {(r.predicate, scene.entities[r.object].label) for r in scene.relations} & UNSEEN


def test_unseen_pictures_show_unseen_pairs() -> None:
    for _, scene in Playground(split="unseen", size=6, language=False):
        assert {(r.predicate, scene.entities[r.object].label) for r in scene.relations} & UNSEEN


def test_visible_boxes_lie_in_whole_ones(scenes: list[Scene]) -> None:
    for scene in scenes:
        full = np.array(scene.metadata["amodal"])
        assert full.shape == scene.boxes.shape
        clipped = np.concatenate([np.maximum(full[:, :2], 0.0), np.minimum(full[:, 2:], 96.0)], 1)
        assert (scene.boxes[:, :2] >= clipped[:, :2] - 0.01).all() and (
            scene.boxes[:, 2:] <= clipped[:, 2:] + 0.01
        ).all()
        assert all(0.0 <= hidden <= HIDDEN for hidden in scene.metadata["hidden"])


def test_boxes_hold_all_visible_pixels_and_no_empty_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    from lichen.data.playground import compose

    kept = []
    finish = compose.Canvas.finish
    monkeypatch.setattr(compose.Canvas, "finish", lambda self, parts: kept.append(parts) or finish(self, parts))
    drawn = draw(0, 11, False, 96, 96)
    owners = kept[0] // 8
    remaining = [s.box for s in drawn.shown]
    for entity in np.unique(owners[owners > 0]):
        rows, columns = (owners == entity).nonzero()
        box = tuple(v / 3 for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
        if box in remaining:
            remaining.remove(box)
    assert remaining == []


def test_hidden_things_are_left_out_and_named(scenes: list[Scene]) -> None:
    dropped = [label for scene in scenes for label in scene.metadata["dropped"]]
    assert dropped and set(dropped) <= set(CLASSES)
    hidden = [share for scene in scenes for share in scene.metadata["hidden"]]
    assert min(hidden) == 0.0 and 0.3 < max(hidden) <= HIDDEN


def test_words_on_signs_are_lines(pictures: list[tuple[np.ndarray, Scene]]) -> None:
    found = []
    for picture, scene in pictures:
        for line in scene.lines:
            found.append(line.text)
            left, top, right, bottom = line.box
            patch = picture[int(top) : int(bottom) + 1, int(left) : int(right) + 1].reshape(-1, 3).astype(int)
            # Ink and board differ.
            assert np.ptp(patch.sum(1)) > 150
            assert any(e.label == "sign" and e.box and e.box[0] <= left and right <= e.box[2] for e in scene.entities)
    assert {"SNACKS", "TRAIL"} <= set(found)


def test_indexing() -> None:
    playground = Playground(size=5, split="test")
    assert len(playground) == 5 and playground[-1][1] == playground[4][1]
    assert playground[4][1].id == "playground-test-000004"
    with pytest.raises(IndexError, match="sample 5 of 5"):
        playground[5]
    assert len(list(Playground(size=2))) == 2
    assert len(Playground(size="full", split="val")) == 2000


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"split": "tran"}, "Did you mean 'train'"),
        ({"size": "smal"}, "Did you mean 'small'"),
        ({"size": -1}, "number of pictures"),
        ({"seed": -1}, "seed"),
        ({"width": 8}, "width of a playground picture lies from 32 to 2048"),
        ({"height": 5000}, "height of a playground picture"),
    ],
)
def test_wrong_settings(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Playground(**values)  # type: ignore[arg-type]
