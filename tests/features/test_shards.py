"""Shard files: ordinary safetensors, read only within their bounds."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from lichen.errors import CheckpointError, InputError
from lichen.features.shards import DTYPES, MappedFile, ShardFile, disk, sweep
from lichen.files import sha256


def write(path: Path, dtype: str = "F32", row: int = 3, blocks: int = 4, notes: bytes = b"{}") -> list[np.ndarray]:
    fixed = {"lengths": ("I64", (blocks,)), "pooled": ("F32", (blocks, 3))}
    cells = [np.arange(row * (1 + number)).astype(DTYPES[dtype]) for number in range(blocks)]
    with ShardFile(path, (dtype, row), fixed) as file:
        for block in cells:
            file.append(block)
        arrays = {"lengths": np.arange(blocks), "pooled": np.ones((blocks, 3))}
        assert file.commit(arrays, notes, {"store": "x"}) == sha256(path)
    return cells


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_what_is_written_is_read(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "shard"
    blocks = write(path, dtype)
    file = MappedFile(path)
    assert np.array_equal(file.array("data", dtype, 10, 3).reshape(-1), np.concatenate(blocks))
    assert file.array("lengths", "I64", 4).tolist() == [0, 1, 2, 3]
    assert file.metadata == {"store": "x"} and bytes(file.arrays["notes"]) == b"{}"
    assert not file.arrays["data"].flags.writeable
    assert list(tmp_path.iterdir()) == [path]


def test_safetensors_reads_it_too(tmp_path: Path) -> None:
    blocks = write(tmp_path / "shard", "U8", row=5, notes=b'{"a": "odd length"}')
    with safe_open(tmp_path / "shard", framework="pt") as file:
        assert sorted(file.keys()) == ["data", "lengths", "notes", "pooled"]
        assert file.get_tensor("data").flatten().tolist() == np.concatenate(blocks).tolist()
        assert file.get_tensor("pooled").shape == (4, 3)


def test_a_shard_without_cells(tmp_path: Path) -> None:
    write(tmp_path / "shard", blocks=0)
    assert MappedFile(tmp_path / "shard").array("data", "F32", 0, 3).size == 0


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), ShardFile(tmp_path / "shard", ("F32", 3), {}) as file:
        file.append(np.zeros(3, np.float32))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    replace = os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(f"sync {os.fstat(handle).st_size}"))
    monkeypatch.setattr(os, "replace", lambda one, other: done.append("rename") or replace(one, other))
    write(tmp_path / "shard")
    assert done == [f"sync {(tmp_path / 'shard').stat().st_size}", "rename"]


def test_a_tensor_of_another_shape_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "shard")
    file = MappedFile(tmp_path / "shard")
    for dtype, shape in (("F32", (10, 4)), ("F16", (10, 3)), ("F32", (30,))):
        with pytest.raises(CheckpointError, match=r"tensor 'data' should be .* but there is float32 \[10, 3\]"):
            file.array("data", dtype, *shape)
    with pytest.raises(CheckpointError, match="there is nothing"):
        file.array("absent", "F32", 1)


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


HEADERS: list[tuple[Any, int, str]] = [
    ({"a": entry()}, 8, ""),
    ({"a": entry()}, 7, "holds 7 bytes of tensors, its header speaks of 8"),
    ({"a": entry()}, 9, "holds 9 bytes"),
    ({"a": entry(offsets=(1, 9))}, 9, "overlap or leave a gap"),
    ({"a": entry(), "b": entry(offsets=(4, 12))}, 12, "overlap or leave a gap"),
    ({"a": entry(shape=(3,))}, 8, "entry of tensor 'a' makes no sense"),
    ({"a": entry(shape=(-2, -1))}, 8, "makes no sense"),
    ({"a": entry(shape=(2.0,))}, 8, "makes no sense"),
    ({"a": entry(shape=(True, 2))}, 8, "makes no sense"),
    ({"a": entry(dtype="F99")}, 8, "makes no sense"),
    ({"a": entry(dtype=["F32"])}, 8, "makes no sense"),
    ({"a": entry(offsets=(8,))}, 8, "makes no sense"),
    ({"a": 5}, 8, "makes no sense"),
    ({"a": entry(shape=(2**62, 4), offsets=(0, 2**66))}, 8, "holds 8 bytes of tensors"),
    ([1], 0, "header speaks of 0"),
    ({}, 0, "header speaks of 0"),
]


@pytest.mark.parametrize(("header", "size", "says"), HEADERS)
def test_headers_that_make_no_sense(header: Any, size: int, says: str, tmp_path: Path) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "shard"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(size))
    if not says:
        assert MappedFile(path).array("a", "F32", 2).tolist() == [0, 0]
        return
    with pytest.raises(CheckpointError, match=says):
        MappedFile(path)


@pytest.mark.parametrize("data", [b"", b"\x05", b"\xff" * 16, (40).to_bytes(8, "little") + b"{}", bytes(8)])
def test_files_that_are_no_safetensors(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "shard").write_bytes(data)
    with pytest.raises(CheckpointError, match="is damaged"):
        MappedFile(tmp_path / "shard")
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        MappedFile(tmp_path / "absent")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_to_a_header_is_an_error_or_harmless(tmp_path_factory: Any, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("shards") / "shard"
    write(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 500))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        file = MappedFile(path)
    except CheckpointError:
        return
    total = sum(array.nbytes for array in file.arrays.values())
    assert total == len(content) - 8 - int.from_bytes(content[:8], "little")


def test_a_failing_disk_is_told_in_words(tmp_path: Path) -> None:
    says = r"Cannot write to folder .*: No space left.*3 shards are there.*goes on"
    with pytest.raises(InputError, match=says), disk(tmp_path, lambda: "3 shards are there"):
        raise OSError(28, "No space left on device")


def test_old_temporary_files_are_swept_and_young_ones_and_others_stay(tmp_path: Path) -> None:
    old, young, other, whole = (tmp_path / name for name in (".shard-1.a", ".shard-1.b", ".else", "shard-1"))
    for path in (old, young, other, whole):
        path.write_bytes(b"x")
    for path in (old, other, whole):
        os.utime(path, (time.time() - 90_000,) * 2)
    sweep(tmp_path, ("shard-",))
    assert not old.exists() and young.exists() and other.exists() and whole.exists()
