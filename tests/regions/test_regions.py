"""`Regions`: flat over the batch, never padded, from scenes and back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.regions import NO_CLASS, Regions, boxed
from lichen.scene import Entity, Relation, Scene

from .naive import double, random_boxes

SIZES = [(100, 80), (60, 60), (200, 50)]


def some() -> Regions:
    """Three, none and two boxes in three pictures."""
    boxes = [[0, 0, 10, 10], [5, 5, 50, 60], [1, 2, 3, 4], [0, 0, 100, 40], [150, 10, 190, 30]]
    return Regions.make(boxes, SIZES, picture=[0, 0, 0, 2, 2], labels=[0, 1, -1, 1, 2], scores=[1, 0.9, 0.8, 0.7, 0.6])


def same(first: Regions, second: Regions) -> bool:
    return all(
        torch.equal(getattr(first, name), getattr(second, name))
        for name in ("boxes", "picture", "sizes", "labels", "scores")
    )


def test_counts_and_places() -> None:
    regions = some()
    assert len(regions) == 5 and regions.pictures == 3
    assert regions.counts.tolist() == [3, 0, 2] and regions.starts.tolist() == [0, 3, 3]
    assert regions.extents.tolist() == [[100, 80]] * 3 + [[200, 50]] * 2
    torch.testing.assert_close(regions.normalised[1], torch.tensor([0.05, 0.0625, 0.5, 0.75]))
    assert regions.boxes.dtype == torch.float32
    exact = Regions.make(double([[0, 0, 1, 1]]), [(5, 5)])
    assert exact.scores.dtype == exact.sizes.dtype == torch.float64


def test_split_and_cat_are_inverse() -> None:
    regions = some()
    parts = regions.split()
    assert [len(part) for part in parts] == [3, 0, 2]
    assert all(part.pictures == 1 and part.validate() is part for part in parts)
    assert parts[2].picture.tolist() == [0, 0] and parts[2].sizes.tolist() == [[200, 50]]
    assert same(Regions.cat(parts), regions) and same(regions.of(2), parts[2])
    twice = Regions.cat([regions, regions]).validate()
    assert twice.pictures == 6 and twice.picture.tolist() == [0, 0, 0, 2, 2, 3, 3, 3, 5, 5]
    with pytest.raises(InputError, match="no regions to join"):
        Regions.cat([])
    for number in (3, -1):
        with pytest.raises(InputError, match="3 pictures, numbered from 0"):
            regions.of(number)


def test_selection_keeps_the_pictures() -> None:
    regions = some()
    for rows in (torch.tensor([2, 0, 3]), torch.tensor([True, False, True, True, False]), slice(1, 4)):
        part = regions.select(rows)
        assert len(part) == 3 and part.pictures == 3
        assert torch.equal(part.boxes, regions.boxes[rows]) and torch.equal(part.labels, regions.labels[rows])
    with pytest.raises(InputError, match="box 1 goes back to picture 0"):
        regions.select(torch.tensor([3, 0])).validate()


def test_probabilities_go_along(unchecked: None) -> None:
    values = torch.rand(5, 3)
    regions = some()
    told = Regions(regions.boxes, regions.picture, regions.sizes, regions.labels, regions.scores, values)
    joined = Regions.cat([told.select(slice(0, 3)), told])
    assert joined.probabilities is not None
    assert torch.equal(joined.probabilities, torch.cat([values[:3], values]))
    assert told.to("meta").probabilities.device.type == "meta"  # type: ignore[union-attr]
    with pytest.raises(InputError, match="all have probabilities"):
        Regions.cat([told, regions])
    with pytest.raises(InputError, match="5 boxes but 4 entries of probabilities"):
        Regions(regions.boxes, regions.picture, regions.sizes, regions.labels, regions.scores, values[:4])


def test_moves() -> None:
    regions = some()
    moved = regions.to("meta")
    assert {moved.boxes.device.type, moved.sizes.device.type, moved.labels.device.type} == {"meta"}
    larger = regions.resized(regions.sizes * torch.tensor([2.0, 0.5]))
    assert larger.boxes[1].tolist() == [10, 2.5, 100, 30] and larger.sizes[2].tolist() == [400, 25]
    torch.testing.assert_close(larger.normalised, regions.normalised)
    assert regions.flipped().boxes[4].tolist() == [10, 10, 50, 30]
    assert same(regions.flipped().flipped(), regions)


def test_clipping_leaves_out_what_lies_outside() -> None:
    boxes = torch.tensor([[-5.0, -5, 5, 5], [90, 10, 120, 20], [101, 0, 110, 9], [30, 30, 31, 70]])
    regions = Regions.make(boxes, [(100, 80)])
    inside = regions.clipped().validate()
    assert inside.boxes.tolist() == [[0, 0, 5, 5], [90, 10, 100, 20], [30, 30, 31, 70]]
    assert regions.clipped(least=1).boxes.tolist() == [[0, 0, 5, 5], [90, 10, 100, 20]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"boxes": [[0, 0, 5, 5], [5, 5, 1, 9]]}, "row 1: .* inverted"),
        ({"picture": [0, 3]}, "pictures 0 to 3, but there are 3"),
        ({"picture": [-1, 0]}, "pictures -1 to 0"),
        ({"picture": [1, 0]}, "box 1 goes back to picture 0"),
        ({"picture": [0]}, "2 boxes but 1 entries of picture"),
        ({"picture": None}, "There are 3 pictures"),
        ({"labels": [1, 2, 3]}, "2 boxes but 3 entries of labels"),
        ({"scores": [0.5, 1.5]}, "score of box 1 must be from 0 to 1; got 1.5"),
        ({"scores": [float("nan"), 1]}, "score of box 0 .* got nan"),
        ({"sizes": [(5, 5), (0, 5), (5, 5)]}, r"size of picture 1 must be positive; got \(0.0, 5.0\)"),
        ({"sizes": [5, 5]}, r"\(width, height\), one pair a picture"),
    ],
)
def test_bad_values_are_named(changed: dict[str, object], message: str, unchecked: None) -> None:
    values: dict[str, object] = {"boxes": [[0, 0, 5, 5]] * 2, "sizes": SIZES, "picture": [0, 2]}
    with pytest.raises(InputError, match=message):
        Regions.make(**{**values, **changed})


def scene(id: str, **changed: object) -> Scene:
    entities = (
        Entity("cat", (1.0, 2.0, 30.0, 40.0)),
        Entity("sky"),
        Entity(None, (0.0, 0.0, 5.0, 5.0), score=0.25),
        Entity("dog", (10.0, 10.0, 20.0, 20.0), score=0.5),
    )
    values: dict[str, object] = {"size": (64, 48), "entities": entities}
    return Scene(id, **{**values, **changed})  # type: ignore[arg-type]


def test_from_scenes() -> None:
    scenes = [scene("a"), scene("b", entities=()), scene("c", size=(100, 100))]
    regions = Regions.from_scenes(scenes, ["dog", "cat", "sky"])
    assert regions.counts.tolist() == [3, 0, 3] and boxed(scenes[0]) == (0, 2, 3)
    assert regions.labels.tolist() == [1, NO_CLASS, 0] * 2
    assert regions.scores.tolist() == [1, 0.25, 0.5] * 2
    assert regions.sizes.tolist() == [[64, 48], [64, 48], [100, 100]]
    assert regions.boxes[0].tolist() == [1, 2, 30, 40]
    assert (Regions.from_scenes(scenes).labels == NO_CLASS).all()
    assert Regions.from_scenes([]).pictures == 0


def test_scenes_that_cannot_be_read() -> None:
    with pytest.raises(InputError, match=r"'b': entities\[0\] is a 'cat', .* Did you mean 'cats'"):
        Regions.from_scenes([scene("a", entities=()), scene("b")], ["cats", "dog"])
    with pytest.raises(InputError, match="'a' does not say how large"):
        Regions.from_scenes([scene("a", size=None)])
    bad = (Entity("cat", (0.0, 0.0, 5.0, 5.0)), Entity("cat", (5.0, 0.0, 5.0, 9.0)))
    with pytest.raises(InputError, match=r"Scene 'a': The boxes, row 1: .* has no area"):
        Regions.from_scenes([scene("a", entities=bad)])


def test_to_scenes() -> None:
    regions = some()
    plain = regions.to_scenes(["cat", "dog", "owl"])
    assert [found.id for found in plain] == ["0", "1", "2"] and plain[0].size == (100, 80)
    assert [entity.label for entity in plain[0].entities] == ["cat", "dog", None]
    owl = plain[2].entities[1]
    assert plain[1].entities == () and owl == Entity("owl", (150.0, 10.0, 190.0, 30.0), score=owl.score)
    assert owl.score == pytest.approx(0.6)
    assert regions.to_scenes(["cat", "dog", "owl"], scored=False)[0].entities[0].score is None
    known = scene("a", captions=("A cat.",), relations=(Relation(0, "on", 3),))
    (found,) = regions.of(0).to_scenes(["cat", "dog"], [known])
    assert found.captions == known.captions and found.relations == () and len(found.entities) == 3
    with pytest.raises(InputError, match="3 pictures but 1 scenes"):
        regions.to_scenes(["cat", "dog", "owl"], [known])
    with pytest.raises(InputError, match="2 class names, and a region has label 2"):
        regions.to_scenes(["cat", "dog"])


@settings(max_examples=25, deadline=None)
@given(counts=st.lists(st.integers(0, 4), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_scenes_come_back(counts: list[int], seed: int) -> None:
    regions = Regions.make(
        random_boxes(sum(counts), seed),
        [(100, 90 + n) for n in range(len(counts))],
        picture=[n for n, count in enumerate(counts) for _ in range(count)],
        labels=[n % 3 for n in range(sum(counts))],
    )
    scenes = regions.to_scenes(["a", "b", "c"], scored=False)
    for found in scenes:
        found.validate()
    back = Regions.from_scenes(scenes, ["a", "b", "c"])
    torch.testing.assert_close(back.boxes, regions.boxes.float(), rtol=0, atol=0)
    assert torch.equal(back.picture, regions.picture) and torch.equal(back.labels, regions.labels)
    assert same(Regions.cat(back.split()), back)
