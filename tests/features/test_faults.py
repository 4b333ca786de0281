"""Kills, damage, a full disk and rivals: a store is good, or says that it is not; it never gives wrong values."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lichen.errors import CheckpointError, InputError
from lichen.features.config import StoreConfig
from lichen.features.shards import ShardFile
from lichen.features.store import FeatureStore
from lichen.files import MANIFEST

from .stores import Texts, assert_equal, backbone, files_of

# Other tests check the types; here they would take most of the time of a build.
pytestmark = [
    pytest.mark.usefixtures("unchecked"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
CONFIG = StoreConfig(shard=4)
PCA = StoreConfig(shard=4, codec="pca", rank=4)
ROWS = (0, 5, 11, 14, 17, 20)


def build(folder: Path, config: StoreConfig = CONFIG) -> FeatureStore:
    return FeatureStore.build(backbone(), Texts(bad=[3]), folder, config)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[StoreConfig, FeatureStore]:
    """Stores that were never interrupted."""
    return {config: build(tmp_path_factory.mktemp("straight"), config) for config in (CONFIG, PCA)}


def start(work: Callable[[], Any]) -> int:
    """Run in a child that has everything loaded already; its exit code tells how it went."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except InputError as error:
            code = 7 if "Cannot write to folder" in str(error) else 8
        finally:
            os._exit(code)
    return child


def finish(child: int) -> int:
    """Exit code of a child; minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def check(folder: Path, store: FeatureStore) -> bool:
    """Whether the folder opens, in which case it must give the values of `store`."""
    try:
        found = FeatureStore.open(folder)
    except CheckpointError as error:
        assert "unfinished" in str(error) or "holds no store" in str(error)
        return False
    # A kill right after the manifest may leave notes, which the next build takes away.
    files = {name: data for name, data in files_of(folder).items() if not name.endswith(".sha256")}
    assert files == files_of(store.folder)
    assert_equal(found[ROWS], store[ROWS])
    return True


def whole_shards(folder: Path) -> dict[str, int]:
    """Shards that are noted as whole, with the time they were written."""
    notes = folder.glob("shard-*.sha256")
    return {note.stem: (folder / note.stem).stat().st_mtime_ns for note in notes if (folder / note.stem).is_file()}


# --- kill -9


def killed_after(operations: int, work: Callable[[], Any]) -> None:
    """Do something, but die before file operation number `operations`."""
    left = operations

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    for module, names in ((os, ("replace", "link", "unlink", "chmod", "fsync", "mkdir")), (tempfile, ("mkstemp",))):
        for name in names:
            setattr(module, name, counted(getattr(module, name)))
    ShardFile.append = counted(ShardFile.append)  # type: ignore[method-assign]
    work()


@pytest.mark.parametrize("config", [CONFIG, PCA], ids=["float32", "pca"])
def test_kills_before_any_file_operation_cost_one_shard_at_most(
    config: StoreConfig, straight: dict[StoreConfig, FeatureStore], tmp_path: Path
) -> None:
    chance, kills = random.Random(5), 0
    while True:
        before = whole_shards(tmp_path)
        operations = chance.randint(1, 12) if kills < 8 else 10_000
        code = finish(start(lambda operations=operations: killed_after(operations, lambda: build(tmp_path, config))))
        after = whole_shards(tmp_path)
        finished = check(tmp_path, straight[config])
        assert finished or {name: after.get(name) for name in before} == before
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
    assert kills == 8 and finished
    assert files_of(build(tmp_path, config).folder) == files_of(straight[config].folder)


def test_kills_at_random_moments(straight: dict[StoreConfig, FeatureStore], tmp_path: Path) -> None:
    chance, kills, runs = random.Random(11), 0, 0
    began = time.perf_counter()
    finish(start(lambda: build(tmp_path / "timed")))
    usual = time.perf_counter() - began
    while kills < 6:
        folder = tmp_path / f"store {runs // 3}"
        child = start(lambda folder=folder: build(folder))
        time.sleep(chance.uniform(0, 0.9) * usual)
        os.kill(child, signal.SIGKILL)
        kills += finish(child) == -signal.SIGKILL
        check(folder, straight[CONFIG])
        runs += 1
        assert runs < 60
    for number in range(-(-runs // 3)):
        store = build(tmp_path / f"store {number}")
        assert files_of(store.folder) == files_of(straight[CONFIG].folder)
    assert kills == 6


# --- damage


def damaged(store: FeatureStore, folder: Path) -> Path:
    """A copy of a store that may be spoilt."""
    folder.mkdir()
    for name, data in files_of(store.folder).items():
        (folder / name).write_bytes(data)
    return folder


def test_truncation_at_twenty_points_is_caught(straight: dict[StoreConfig, FeatureStore], tmp_path: Path) -> None:
    folder = damaged(straight[PCA], tmp_path / "copy")
    chance, caught = random.Random(2), 0
    for name, data in list(files_of(folder).items()) * 2:
        length = chance.choice([0, 1, 8, len(data) // 2, len(data) - 2])
        (folder / name).write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            FeatureStore.open(folder)
        try:
            # Without digests the structure gives it away, at the latest when a sample is read; or nothing was lost.
            assert_equal(FeatureStore.open(folder, verify=False)[ROWS], straight[PCA][ROWS])
            assert name == MANIFEST
        except CheckpointError:
            pass
        (folder / name).write_bytes(data)
        caught += 1
    assert caught >= 20
    assert_equal(FeatureStore.open(folder)[ROWS], straight[PCA][ROWS])


def test_two_hundred_flipped_bits_are_all_caught(straight: dict[StoreConfig, FeatureStore], tmp_path: Path) -> None:
    folder = damaged(straight[PCA], tmp_path / "copy")
    chance = random.Random(3)
    contents = files_of(folder)
    for name in chance.choices(sorted(contents), k=200):
        spoilt = bytearray(contents[name])
        place = chance.randrange(len(spoilt))
        spoilt[place] ^= 1 << chance.randrange(8)
        (folder / name).write_bytes(spoilt)
        with pytest.raises(CheckpointError):
            FeatureStore.open(folder)
        (folder / name).write_bytes(contents[name])
    assert_equal(FeatureStore.open(folder)[ROWS], straight[PCA][ROWS])


def edit(folder: Path, change: Callable[[dict[str, str]], Any]) -> None:
    values = json.loads((folder / MANIFEST).read_text())
    change(values["sha256"])
    (folder / MANIFEST).write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda listed: listed.update({"shard-00002.safetensors": "0" * 64}), "'shard-00002.safetensors' was altered"),
        (lambda listed: listed.pop("shard-00002.safetensors"), "'shard-00002.safetensors' is not in the manifest"),
        (lambda listed: listed.pop("index.safetensors"), "does not list the files of a store"),
        (lambda listed: listed.update({"../outside": "0" * 64}), "'../outside' is missing"),
        (lambda listed: listed.clear(), "does not list the files of a store"),
    ],
)
def test_an_edited_manifest_is_caught_and_made_good(
    change: Any, says: str, straight: dict[StoreConfig, FeatureStore], tmp_path: Path
) -> None:
    folder = damaged(straight[CONFIG], tmp_path / "copy")
    (tmp_path / "outside").write_bytes(b"")
    edit(folder, change)
    with pytest.raises(CheckpointError, match=says):
        FeatureStore.open(folder)
    build(folder)
    assert files_of(folder) == files_of(straight[CONFIG].folder)


def test_shards_of_another_store_are_not_taken_over(tmp_path: Path) -> None:
    first = FeatureStore.build(backbone(), Texts(), tmp_path / "first", CONFIG)
    other = [f"other {row}" for row in range(21)]
    second = FeatureStore.build(backbone(), Texts(), tmp_path / "second", CONFIG, ids=other)
    name = "shard-00001.safetensors"
    (second.folder / name).write_bytes((first.folder / name).read_bytes())
    listed = json.loads((first.folder / MANIFEST).read_text())["sha256"][name]
    expected = json.loads((second.folder / MANIFEST).read_text())["sha256"][name]
    edit(second.folder, lambda digests: digests.update({name: listed}))
    again = FeatureStore.build(backbone(), Texts(), tmp_path / "second", CONFIG, ids=other)
    assert json.loads((again.folder / MANIFEST).read_text())["sha256"][name] == expected != listed


# --- disks and rivals


@pytest.mark.parametrize("limit", [0, 400, 2500, 4500])
def test_a_full_disk_is_told_and_costs_nothing_that_is_there(
    limit: int, straight: dict[StoreConfig, FeatureStore], tmp_path: Path
) -> None:
    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        build(tmp_path / "store")

    assert finish(start(work)) == 7
    assert not list((tmp_path / "store").glob(".*"))
    assert not check(tmp_path / "store", straight[CONFIG])
    assert files_of(build(tmp_path / "store").folder) == files_of(straight[CONFIG].folder)


def test_two_writers_on_one_folder_make_one_store(straight: dict[StoreConfig, FeatureStore], tmp_path: Path) -> None:
    for config in (CONFIG, PCA):
        folder = tmp_path / config.codec
        children = [start(lambda folder=folder, config=config: build(folder, config)) for _ in range(3)]
        assert [finish(child) for child in children] == [0, 0, 0]
        assert files_of(folder) == files_of(straight[config].folder)
        assert not list(folder.glob(".*"))


def test_what_a_killed_writer_left_is_swept_after_a_day(tmp_path: Path) -> None:
    store = build(tmp_path)
    names = [".shard-00001.safetensors.x1", ".store.json.x2", ".manifest.json.x3", ".shard-00001.safetensors.sha256.x4"]
    for name in names:
        (tmp_path / name).write_bytes(b"half")
        (tmp_path / f"{name}.young").write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - 90_000,) * 2)
    build(tmp_path)
    assert sorted(path.name for path in tmp_path.glob(".*")) == sorted(f"{name}.young" for name in names)
    assert_equal(FeatureStore.open(tmp_path)[ROWS], store[ROWS])
