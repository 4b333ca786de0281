"""Checkpoint folders, the run's lock, and nested state without pickle."""

from __future__ import annotations

import fcntl
import json
import math
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lichen.errors import CheckpointError, InputError
from lichen.files import MANIFEST
from lichen.training.engine import locks
from lichen.training.engine.checkpoints import (
    checkpoints,
    latest_checkpoint,
    rotate,
    step_of,
    sweep,
    verify_checkpoint,
    write_checkpoint,
)
from lichen.training.engine.locks import LOCK, RunLock
from lichen.training.engine.trees import read_tree, write_tree


def save(run: Path, step: int, text: str = "") -> Path:
    def write(stage: Path) -> None:
        (stage / "data.json").write_text(text or str(step))

    return write_checkpoint(run, step, write)


def names(run: Path) -> list[str]:
    return sorted(path.name for path in run.iterdir())


def test_a_checkpoint_lists_all_its_files(tmp_path: Path) -> None:
    folder = save(tmp_path, 7)
    assert folder == tmp_path / "checkpoint-7" and names(folder) == ["data.json", MANIFEST]
    verify_checkpoint(folder)
    assert latest_checkpoint(tmp_path) == folder and step_of(folder) == 7 and names(tmp_path) == ["checkpoint-7"]
    assert folder.stat().st_mode & 0o755 == 0o755


def test_checkpoints_are_ordered_by_step(tmp_path: Path) -> None:
    for step in (10, 9, 100):
        save(tmp_path, step)
    (tmp_path / "checkpoint-x").mkdir()
    (tmp_path / "checkpoint-11").write_text("a file")
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-9", "checkpoint-10", "checkpoint-100"]
    assert checkpoints(tmp_path / "absent") == [] and latest_checkpoint(tmp_path / "absent") is None


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    save(tmp_path, 3, "old")
    folder = save(tmp_path, 3, "new")
    assert (folder / "data.json").read_text() == "new" and names(tmp_path) == ["checkpoint-3"]
    verify_checkpoint(folder)


def test_a_failed_save_leaves_nothing(tmp_path: Path) -> None:
    save(tmp_path, 1)

    def write(stage: Path) -> None:
        (stage / "data.json").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"checkpoint-2.*No space left.*checkpoint-1 is still there"):
        write_checkpoint(tmp_path, 2, write)
    assert names(tmp_path) == ["checkpoint-1"]
    with pytest.raises(InputError, match="Nothing is saved yet"):
        write_checkpoint(tmp_path / "absent", 2, write)


def test_rotation_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    for step in range(1, 7):
        save(tmp_path, step)
    rotate(tmp_path, None)
    rotate(tmp_path, 6)
    assert len(checkpoints(tmp_path)) == 6
    rotate(tmp_path, 3, tmp_path / "checkpoint-2")
    assert names(tmp_path) == ["checkpoint-2", "checkpoint-5", "checkpoint-6"]
    rotate(tmp_path, 1, tmp_path / "checkpoint-2")
    assert names(tmp_path) == ["checkpoint-2", "checkpoint-6"]
    rotate(tmp_path, 1)
    assert names(tmp_path) == ["checkpoint-6"]


def test_leftovers_are_swept_and_a_half_replaced_checkpoint_comes_back(tmp_path: Path) -> None:
    folder = save(tmp_path, 4)
    (tmp_path / ".staged-checkpoint-5.abc").mkdir()
    (tmp_path / ".staged-checkpoint-5.abc" / "data.json").write_text("half")
    (tmp_path / ".old-checkpoint-4.abc").mkdir()
    os.rename(folder, tmp_path / ".old-checkpoint-4.abc")
    (tmp_path / ".old-checkpoint-3.abc").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    sweep(tmp_path)
    assert names(tmp_path) == ["checkpoint-4", "notes.txt"]
    verify_checkpoint(folder)


def test_what_is_not_a_whole_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    with pytest.raises(CheckpointError, match=r"no checkpoint .*checkpoint-2.*In its folder: checkpoint-1"):
        verify_checkpoint(tmp_path / "checkpoint-2")
    (folder / "extra.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"extra.json.*does not list"):
        verify_checkpoint(folder)
    (folder / "extra.json").unlink()
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "format": "lichen-checkpoint-9"}))
    with pytest.raises(CheckpointError, match=r"layout 'lichen-checkpoint-9', this version reads"):
        verify_checkpoint(folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(CheckpointError, match="holds no manifest"):
        verify_checkpoint(folder)


def test_fallback_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for step in (1, 2, 3):
        save(tmp_path, step)
    (tmp_path / "checkpoint-3" / "data.json").write_text("other")
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-2"
    told = capsys.readouterr().err
    assert "checkpoint-3 is damaged" in told and "going on from checkpoint-2" in told
    assert latest_checkpoint(tmp_path, quiet=True) == tmp_path / "checkpoint-2" and not capsys.readouterr().err
    for step in (1, 2):
        (tmp_path / f"checkpoint-{step}" / "data.json").unlink()
    with pytest.raises(CheckpointError, match="All 3 checkpoints"):
        latest_checkpoint(tmp_path)


# The lock.


def test_two_writers_on_one_folder(tmp_path: Path) -> None:
    with RunLock(tmp_path / "run"):
        with pytest.raises(InputError, match=rf"Process {os.getpid()} on .* is training in"):
            RunLock(tmp_path / "run").__enter__()
        with RunLock(tmp_path / "other"):
            pass
    with RunLock(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).read_text().startswith(f"{os.getpid()} ")


def test_a_lock_held_by_what_a_dead_process_left_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    handle = os.open(tmp_path / LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.write(handle, f"{dead} {locks.socket.gethostname()}".encode())
    # The data loader of the dead process notices after a moment.
    monkeypatch.setattr(locks.time, "sleep", lambda seconds: os.close(handle))
    with RunLock(tmp_path):
        pass


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Cannot train in"):
        RunLock(tmp_path / "file").__enter__()


def test_a_file_system_without_locks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(handle: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with RunLock(tmp_path):
        assert "has no locks" in capsys.readouterr().err


# Nested state.

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(alphabet="ab$.", max_size=3), inner)
    ),
    max_leaves=12,
)


def bits(value: Any) -> Any:
    """The same tree with floats as their bytes, so that nan equals itself and 0.0 is not -0.0."""
    if isinstance(value, float):
        return struct.pack("d", value) if not math.isnan(value) else "nan"
    if isinstance(value, dict):
        return {name: bits(item) for name, item in value.items()}
    return type(value)(map(bits, value)) if isinstance(value, list | tuple) else value


@given(tree=TREES)
def test_trees_come_back_bit_for_bit(tree: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tree")
    write_tree(folder, "state", tree)
    found = read_tree(folder, "state")
    assert bits(found) == bits(tree) and type(found) is type(tree)


def test_trees_with_tensors(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    tree = {
        "a": [shared, shared, shared[2:], shared.view(2, 3).t(), torch.tensor(1.5, dtype=torch.bfloat16)],
        "b": (torch.tensor([], dtype=torch.int64), torch.tensor([True]), np.float64(0.1), np.int64(3)),
    }
    write_tree(tmp_path, "state", tree)
    found = read_tree(tmp_path, "state")
    for one, other in zip((*tree["a"], *tree["b"][:2]), (*found["a"], *found["b"][:2]), strict=True):
        assert one.dtype == other.dtype and torch.equal(one, other)
    assert found["b"][2:] == (0.1, 3)
    (tmp_path / "state.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"lacks 'state\.a\.0'"):
        read_tree(tmp_path, "state")


@pytest.mark.parametrize("odd", [{1: 2}, {"$tensor": "x"}, object(), {"a": [b"bytes"]}])
def test_what_cannot_be_saved_is_refused(odd: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"state.* cannot be saved"):
        write_tree(tmp_path, "state", odd)
