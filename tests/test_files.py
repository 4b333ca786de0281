"""Saved folders are whole or refused, after any failure and any kill; nothing read from them runs."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lichen import files
from lichen.errors import CheckpointError, InputError
from lichen.files import COMMIT, MANIFEST, read_json, sha256, staged_folder, to_json, verify_folder, write_atomic

OLD = {"a.bin": b"old a" * 50, "b.json": b'{"old": 1}\n'}
NEW = {"a.bin": b"new a" * 70, "b.json": b'{"new": 2}\n', "c.txt": b"only in the new one"}
BYSTANDER = "optimizer.pt"


def save(folder: Path, contents: dict[str, bytes]) -> None:
    with staged_folder(folder) as stage:
        for name, data in contents.items():
            (stage / name).write_bytes(data)


def contents(folder: Path) -> dict[str, bytes]:
    """What the manifest vouches for."""
    return {name: (folder / name).read_bytes() for name in verify_folder(folder)["sha256"]}


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a finished save and a file of somebody else's, as in a Trainer's checkpoint."""
    target = tmp_path / "checkpoint-1"
    save(target, OLD)
    (target / BYSTANDER).write_bytes(b"state")
    return target


def test_a_save_replaces_its_files_and_no_others(folder: Path) -> None:
    assert contents(folder) == OLD
    save(folder, NEW)
    assert contents(folder) == NEW
    assert (folder / BYSTANDER).read_bytes() == b"state"
    assert leftovers(folder) == []
    assert set(verify_folder(folder)["sha256"]) == set(NEW)


def test_an_error_of_the_caller_keeps_the_old_contents(folder: Path, tmp_path: Path) -> None:
    for target in (folder, tmp_path / "fresh" / "deep"):
        with pytest.raises(ZeroDivisionError), staged_folder(target) as stage:
            (stage / "a.bin").write_bytes(b"half")
            raise ZeroDivisionError
    assert contents(folder) == OLD and leftovers(folder) == []
    assert not (tmp_path / "fresh" / "deep").exists()


@pytest.mark.parametrize("name", ["replace", "fsync"])
def test_a_failing_disk_keeps_the_old_contents(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, name, fail)
    with pytest.raises(InputError, match=r"Cannot write to folder .*No space left.*Nothing was saved; choose a folder"):
        save(folder, NEW)
    monkeypatch.undo()
    assert contents(folder) == OLD and leftovers(folder) == []


@pytest.mark.parametrize("good", [1, 2, 3, 4])
def test_a_disk_that_fails_after_the_commit_gives_the_new_contents(
    good: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, left = os.replace, [good]

    def fail(*args: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise PermissionError(errno.EACCES, "Permission denied")
        replace(*args)

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(InputError, match=r"is complete, but .*Permission denied.*next load or save finishes the move"):
        save(folder, NEW)
    with pytest.raises(CheckpointError, match=r"cut short and cannot be completed: Permission denied. Make the folder"):
        verify_folder(folder)
    monkeypatch.undo()
    assert contents(folder) == NEW and leftovers(folder) == []


def test_the_next_save_completes_the_one_before(folder: Path) -> None:
    (folder / COMMIT).mkdir()
    (folder / COMMIT / "b.json").write_bytes(b"of a save that was killed")
    save(folder, {"z.txt": b"z"})
    assert contents(folder) == {"z.txt": b"z"} and leftovers(folder) == []
    assert (folder / "b.json").read_bytes() == b"of a save that was killed"


def test_two_writers_may_meet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, met = os.replace, []

    def meet(source: Any, target: Any) -> None:
        if Path(target).name == COMMIT and not met:
            met.append(True)
            # The other writer commits first and is killed before its files have moved.
            Path(target).mkdir()
            (Path(target) / "a.bin").write_bytes(b"other")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", meet)
    save(folder, NEW)
    assert met and contents(folder) == NEW and leftovers(folder) == []


def test_leftovers_of_a_kill_go_after_a_day(folder: Path) -> None:
    old, young = folder / ".staged.old", folder / ".staged.young"
    for path in (old, young):
        path.mkdir()
        (path / "a.bin").write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    save(folder, NEW)
    assert leftovers(folder) == [".staged.young"]
    assert contents(folder) == NEW


@pytest.mark.parametrize("place", ["a file", "below a file", "a folder has the name"])
def test_places_that_cannot_be_written(place: str, folder: Path, tmp_path: Path) -> None:
    if place == "a folder has the name":
        target = folder
        (folder / "c.txt").mkdir()
    else:
        (tmp_path / "file").write_bytes(b"x")
        target = tmp_path / "file" / "below" if place == "below a file" else tmp_path / "file"
    with pytest.raises(InputError, match=r"Cannot write to folder .*Nothing was saved"):
        save(target, NEW)
    assert contents(folder) == OLD and leftovers(folder) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(folder: Path) -> None:
    folder.chmod(0o555)
    try:
        with pytest.raises(InputError, match="Permission denied"):
            save(folder, NEW)
        assert contents(folder) == OLD
    finally:
        folder.chmod(0o755)


# --- kill -9

KILLED = """
import os, signal, sys
from pathlib import Path
from lichen import files
left = int(sys.argv[2])
def counted(function):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call
for name in ("replace", "fsync", "rmdir", "unlink", "open", "mkdir"):
    setattr(os, name, counted(getattr(os, name)))
with files.staged_folder(Path(sys.argv[1])) as stage:
    for name, data in {data!r}.items():
        (stage / name).write_bytes(data)
"""


def test_a_kill_at_any_moment_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    outcomes = []
    script = KILLED.replace("{data!r}", repr(NEW))
    for point in range(60):
        target = tmp_path / str(point)
        save(target, OLD)
        (target / BYSTANDER).write_bytes(b"state")
        done = subprocess.run([sys.executable, "-c", script, str(target), str(point)], check=False)
        found = contents(target)
        assert found in (OLD, NEW), point
        assert (target / BYSTANDER).read_bytes() == b"state"
        save(target, {"later.txt": b"a later save works"})
        assert contents(target) == {"later.txt": b"a later save works"}
        outcomes.append((done.returncode, found == NEW))
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    assert outcomes[0] == (-signal.SIGKILL, False) and outcomes[-1] == (0, True)
    # Once the new contents are there, no later kill brings the old ones back.
    assert sorted(outcomes, key=lambda outcome: outcome[1]) == outcomes
    assert len(outcomes) > 12 and (-signal.SIGKILL, True) in outcomes


# --- reading

OFFSETS = [0, 1, 7, -2, -1, "middle"]


@pytest.mark.parametrize("name", [*OLD, MANIFEST])
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_one_bit_or_one_byte_less_is_refused(name: str, offset: int | str, damage: str, folder: Path) -> None:
    file = folder / name
    data = bytearray(file.read_bytes())
    place = len(data) // 2 if isinstance(offset, str) else offset % len(data)
    if damage == "flip":
        data[place] ^= 0x10
    else:
        del data[place:]
    file.write_bytes(data)
    if name == MANIFEST and damage == "cut" and offset == -1:
        assert contents(folder) == OLD  # only the last newline is gone
        return
    with pytest.raises(CheckpointError, match=r"truncated|not readable as JSON|not in the folder|no digests"):
        verify_folder(folder)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ({"sha256": {}}, "lists no digests"),
        ({"sha256": ["a.bin"]}, "lists no digests"),
        ({}, "lists no digests"),
        ({"sha256": {"../outside": "0" * 64}}, "'../outside' is listed .* but is not in the folder"),
        ({"sha256": {"absent": "0" * 64}}, "'absent' is listed"),
        ({"sha256": {"a.bin": 5}}, "expected SHA-256 5…, found"),
    ],
)
def test_manifests_that_say_nothing_useful(manifest: Any, says: str, folder: Path) -> None:
    (folder.parent / "outside").write_bytes(b"")
    (folder / MANIFEST).write_bytes(to_json(manifest))
    with pytest.raises(CheckpointError, match=says):
        verify_folder(folder)


def test_no_manifest_no_folder(folder: Path, tmp_path: Path) -> None:
    (folder / MANIFEST).unlink()
    for path in (folder, tmp_path / "absent"):
        with pytest.raises(CheckpointError, match=r"holds no manifest.json.*Give the folder that save_pretrained"):
            verify_folder(path)


def test_a_file_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files, "sha256", fail)
    with pytest.raises(CheckpointError, match=r"a.bin' cannot be read: Permission denied"):
        verify_folder(folder)


def test_a_link_is_not_taken_for_a_cut_save(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.bin").write_bytes(b"not ours to move")
    (folder / COMMIT).symlink_to(other)
    assert contents(folder) == OLD
    assert (other / "a.bin").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "holds a list; expected an object"),
        ("{", "not readable as JSON"),
        ("", "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
        ('{"n": ' + "1" * 5000 + "}", "not readable as JSON"),
        (b"\xff\xfe", "not readable as JSON"),
        (None, "does not exist"),
    ],
)
def test_read_json_refuses(text: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CheckpointError, match=says):
        read_json(path)


def test_json_is_the_same_bytes_for_the_same_settings(tmp_path: Path) -> None:
    assert to_json({"b": 1, "a": "ü"}) == to_json({"a": "ü", "b": 1})
    assert to_json({}).endswith(b"\n")
    path = tmp_path / "x.json"
    path.write_bytes(to_json({"a": ["ü", 1.5, None]}))
    assert read_json(path) == {"a": ["ü", 1.5, None]} == json.loads(path.read_text("utf-8"))


def test_write_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two" and sha256(path) == sha256(path)

    def fail(*args: Any) -> None:
        raise OSError("disk")

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(OSError, match="disk"):
        write_atomic(path, b"three")
    assert path.read_bytes() == b"two" and [entry.name for entry in tmp_path.iterdir()] == ["file"]
