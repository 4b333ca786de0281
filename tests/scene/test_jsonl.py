"""Files of scenes: nothing is lost, bad lines are told, and a file is whole or absent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lichen.errors import BadSample, InputError
from lichen.scene import Entity, Scene
from lichen.scene.jsonl import read_jsonl, write_jsonl

from .strategies import scenes


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(scenes(), max_size=3))
def test_there_and_back(tmp_path: Path, written: list[Scene]) -> None:
    path = tmp_path / "scenes.jsonl"
    assert write_jsonl(path, written) == len(written)
    assert list(read_jsonl(path)) == written


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    scene = Scene("a", text="one\ntwo\r\u2028three\x85four\x0bfive\x1c")
    write_jsonl(tmp_path / "a.jsonl", [scene, scene])
    assert list(read_jsonl(tmp_path / "a.jsonl")) == [scene, scene]


def test_both_ends_are_streams(tmp_path: Path) -> None:
    asked = []

    def endless() -> Iterator[Scene]:
        for number in range(3):
            asked.append(number)
            yield Scene(str(number))

    write_jsonl(tmp_path / "a.jsonl", endless())
    reading = read_jsonl(tmp_path / "a.jsonl")
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(b"garbage\n")
    # The bad line after the third is not looked at before the others are handed out.
    assert [next(reading).id for _ in range(3)] == ["0", "1", "2"] and asked == [0, 1, 2]
    with pytest.raises(InputError, match=r"a\.jsonl:4: .*not JSON"):
        next(reading)


def test_bad_lines_are_told_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    lines = [
        b'\xef\xbb\xbf{"id": "first"}',
        b"",
        b"{",
        b'{"id": "x", "entities": [{"label": "cat", "box": [3, 0, 1, 4]}]}',
        b'{"id": "\xff"}',
        b'{"id": "last"}',
    ]
    path.write_bytes(b"\n".join(lines))
    told: list[BadSample] = []
    assert [scene.id for scene in read_jsonl(path, told.append)] == ["first", "last"]
    assert [bad.id for bad in told] == ["mixed.jsonl:3", "mixed.jsonl:4", "mixed.jsonl:5"]
    assert "entities[0].box of 'cat' must have left < right" in told[1].reason
    assert "not UTF-8" in told[2].reason
    with pytest.raises(BadSample, match=r"mixed\.jsonl:3"):
        list(read_jsonl(path))


def test_a_scene_that_does_not_hold_together_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_jsonl(path, [Scene("old")])
    with pytest.raises(InputError, match="Scene 'bad': entities"):
        write_jsonl(path, [Scene("new"), Scene("bad", entities=(Entity("x", (1.0, 1.0, 0.0, 0.0)),))])
    assert [scene.id for scene in read_jsonl(path)] == ["old"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read"):
        list(read_jsonl(tmp_path / "absent.jsonl"))
    with pytest.raises(InputError, match="Cannot write"):
        write_jsonl(tmp_path / "absent" / "a.jsonl", [])
