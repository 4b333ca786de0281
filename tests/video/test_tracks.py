"""Boxes as a user gives them: another length, out of the frame, gaps, too many, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lichen.errors import InputError
from lichen.scene import Scene, Track
from lichen.video.tracks import Tracks, interpolate_boxes, read_tracks, resampled, to_objects

from .tiny import texts

BOX = (2.0, 4.0, 10.0, 12.0)


def one(*row: Any, size: tuple[int, int] = (20, 40)) -> Tracks:
    return Tracks.of_frames([[box] for box in row], ["dog"], size)


def test_boxes_become_fractions_of_the_picture() -> None:
    found = to_objects([one(BOX, None)], texts(), 4)
    torch.testing.assert_close(found.boxes[0, 0, 0], torch.tensor([0.1, 0.1, 0.5, 0.3]))
    assert found.present[0].flatten().tolist() == [True, False]
    torch.testing.assert_close(found.names[0], texts().names(["dog"]))


def test_clips_with_fewer_things_are_filled_up() -> None:
    two = Tracks.of_frames([[BOX, None], [BOX, BOX]], ["cat", "ball"], (20, 40))
    found = to_objects([one(BOX, BOX), two], texts(), 4)
    assert found.present.tolist() == [[[True, False], [True, False]], [[True, False], [True, True]]]


def test_another_length_is_an_error_or_resampled() -> None:
    tracks = one((0, 0, 4, 4), (4, 0, 8, 4), (8, 0, 12, 4))
    with pytest.raises(InputError, match=r"tracks have 3 frames and the clip has 5.*resample"):
        tracks.fitted(5)
    found = tracks.fitted(5, resample=True).boxes[0]
    assert [box[0] for box in found if box] == [0, 2, 4, 6, 8]
    assert [box[0] for box in tracks.fitted(2, resample=True).boxes[0] if box] == [0, 8]
    assert tracks.fitted(3) is tracks


def test_gaps_stay_gaps() -> None:
    assert resampled([BOX, None, BOX], 5) == (BOX, None, None, BOX, BOX)
    found = resampled([BOX, None], 4)
    assert [box is None for box in found] == [False, False, True, True]


def test_key_boxes_are_joined_by_straight_lines() -> None:
    found = interpolate_boxes({1: (0, 0, 2, 2), 3: (4, 0, 6, 2)}, 5)
    assert [box[0] for box in found if box] == [0, 0, 2, 4, 4]
    assert interpolate_boxes({0: BOX, 2: None}, 4) == (BOX, BOX, None, None)
    with pytest.raises(InputError, match=r"Key boxes lie in frames 0 to 3"):
        interpolate_boxes({7: BOX}, 4)


def test_boxes_out_of_the_picture_are_cut_or_gone() -> None:
    found = one((-5, -5, 5, 5), (30, 0, 35, 5), (15, 30, 25, 50)).clipped().boxes[0]
    assert found == ((0, 0, 5, 5), None, (15, 30, 20, 40))


def test_a_crop_moves_boxes_along() -> None:
    found = one((5, 15, 10, 20), (0, 0, 5, 5)).cropped(0.0, 10.0, 20.0, 20.0)
    assert found.boxes[0] == ((5, 5, 10, 10), None) and found.size == (20, 20)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: one((5, 5, 5, 9)), r"The box of 'dog' in frame 0 is empty"),
        (lambda: one((0, 0, float("nan"), 4)), r"not finite"),
        (lambda: one((0, 0, 4)), r"A box is four numbers"),
        (lambda: one("0 0 4 4"), r"A box is four numbers"),
        (lambda: Tracks.of_frames([[BOX, BOX]], ["dog"], (9, 9)), r"Frame 0 of the tracks must list 1 boxes"),
        (lambda: Tracks.of_frames([], ["dog"], (9, 9)), r"no frame"),
        (lambda: Tracks(((BOX,),), ("a", "b"), (9, 9)), r"tracks of 1 things and 2 labels"),
        (lambda: Tracks(((BOX,), (BOX, BOX)), ("a", "b"), (9, 9)), r"as many boxes as it has frames"),
        (lambda: to_objects([Tracks((), (), (9, 9))], texts(), 4), r"no box in any"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, message: str, unchecked: None) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_more_things_than_slots_are_refused() -> None:
    many = Tracks.of_frames([[BOX] * 5], ["dog"] * 5, (20, 40))
    with pytest.raises(InputError, match=r"5 things, and this model has 4 slots"):
        to_objects([many], texts(), 4)


@pytest.mark.parametrize(
    "values",
    [
        {"labels": ["dog"], "frames": [[[2, 4, 10, 12]], [None]], "size": [20, 40]},
        {"tracks": [{"label": "dog", "boxes": [[2, 4, 10, 12], None]}], "size": [20, 40]},
        {"object": "dog", "frames": [{"box": [2, 4, 8, 8]}, {"box": None}], "width": 20, "height": 40},
        Scene("x", size=(20, 40), tracks=(Track((BOX, None), "dog"),)).to_dict(),
    ],
)
def test_files_of_four_kinds(values: Any, tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text(json.dumps(values))
    assert read_tracks(tmp_path / "boxes.json") == Tracks(((BOX, None),), ("dog",), (20, 40))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"cannot be read"),
        ("[1]", r"must hold an object"),
        ('{"labels": ["a"], "frames": [[null]]}', r'does not tell "size"'),
        ('{"labels": ["a"], "size": [4, 4]}', r"lacks 'frames'"),
    ],
)
def test_files_of_no_kind(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_tracks(tmp_path / "boxes.json")


def test_a_real_clip(shared_data: Path) -> None:
    tracks = read_tracks(shared_data / "video" / "crossing" / "track.json")
    assert tracks.frames == 120 and tracks.size == (192, 128) and len(tracks.labels) == 1
    assert Tracks.of_scene(Scene("x", size=(192, 128), tracks=(Track(tracks.boxes[0], tracks.labels[0]),))) == tracks
