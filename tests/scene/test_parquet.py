"""Parquet: nothing is lost, others can read the columns, and damage is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lichen.errors import InputError, MissingPackageError
from lichen.scene import Entity, Relation, Scene
from lichen.scene.parquet import read_parquet, schema, write_parquet

from .strategies import scenes

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(scenes(), max_size=3))
def test_there_and_back(tmp_path: Path, written: list[Scene]) -> None:
    path = tmp_path / "scenes.parquet"
    assert write_parquet(path, written) == len(written)
    assert list(read_parquet(path)) == written


def test_every_field_of_a_scene_has_a_column() -> None:
    assert schema().names == list(Scene.checks)


def test_many_scenes_go_into_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lichen.scene.parquet._ROWS", 10)
    path = tmp_path / "many.parquet"
    assert write_parquet(path, (Scene(str(number)) for number in range(25))) == 25
    with pq.ParquetFile(path) as file:
        assert file.num_row_groups == 3
    assert [scene.id for scene in read_parquet(path)] == [str(number) for number in range(25)]


def test_columns_are_nested_for_others_to_read(tmp_path: Path) -> None:
    cats = (Entity("cat", (0.0, 1.0, 2.0, 3.0), attributes=("red",)), Entity("mat"))
    scene = Scene("a", size=(64, 48), entities=cats, relations=(Relation(0, "on", 1),), metadata={"source": "x"})
    write_parquet(tmp_path / "a.parquet", [scene])
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.schema.field("entities").type.value_type.field("box").type == pa.list_(pa.float64())
    (row,) = table.to_pylist()
    assert row["size"] == {"width": 64, "height": 48}
    assert [entity["label"] for entity in row["entities"]] == ["cat", "mat"]
    assert row["entities"][0]["box"] == [0.0, 1.0, 2.0, 3.0] and row["entities"][1]["box"] is None
    assert row["relations"] == [{"subject": 0, "predicate": "on", "object": 1, "score": None}]
    assert row["metadata"] == '{"source": "x"}'


def test_a_file_of_others_needs_only_some_columns(tmp_path: Path) -> None:
    path = tmp_path / "theirs.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "captions": [["one"], None]}), path)
    assert list(read_parquet(path)) == [Scene("a", captions=("one",)), Scene("b")]
    pq.write_table(pa.table({"id": ["a"], "caption": ["one"]}), path)
    with pytest.raises(InputError, match=r"row 1: A Scene has no field 'caption'\. Did you mean 'captions'\?"):
        list(read_parquet(path))


def test_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, [Scene("a")])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="not a readable Parquet file"):
        list(read_parquet(path))
    with pytest.raises(InputError, match="Cannot read"):
        list(read_parquet(tmp_path / "absent.parquet"))


def test_a_bad_scene_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"relations\[0\].subject is 3"):
        write_parquet(tmp_path / "a.parquet", [Scene("a"), Scene("b", relations=(Relation(3, "on", 3),))])
    assert not list(tmp_path.iterdir())


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'lichen\[parquet\]'"):
        write_parquet(tmp_path / "a.parquet", [])
