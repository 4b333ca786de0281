"""Folders that cannot be used, damage, signals and full disks: nothing is lost, and the message says how to go on."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lichen.cli.main import main
from lichen.features.shards import ShardFile
from lichen.training.engine.locks import RunLock

from .shapes import PICTURES, Lichen, write_pictures

pytest.importorskip("matplotlib", reason="matplotlib, which draws the curves, is not installed")


@pytest.fixture(scope="module")
def finished(shared_place: Path) -> Path:
    """A run on the pictures."""
    with chdir(shared_place):
        assert main(["train", "pictures.toml", "--out", "run", "--quiet", "--json"]) == 0
    return shared_place / "run"


def names(folder: Path) -> set[str]:
    """What lies in a folder, and nothing where there is none."""
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


# Folders of runs and stores -----------------------------------------------------------------------------------------


def test_folders_that_a_run_must_not_use(place: Path, finished: Path, lichen: Lichen) -> None:
    def told(out: str | Path) -> str:
        return lichen.wrong("train", "pictures.toml", "--out", out)

    assert "is a file, but a run needs a folder" in told("texts.csv")
    assert "holds a finished run" in told(finished)
    write_pictures(Path("own"))
    assert "holds other files, such as 'disc', and no run" in told("own")
    assert names(Path("own")) == {"disc", "square"}
    Path("begun/checkpoint-3").mkdir(parents=True)
    assert "holds an unfinished training. Go on" in told("begun")
    with RunLock(Path("busy")):
        Path("busy/recipe.toml").write_text(PICTURES)
        assert f"Process {os.getpid()} on" in lichen("train", "pictures.toml", "--out", "busy", code=2)[1]


def test_what_cannot_be_resumed(place: Path, finished: Path, lichen: Lichen) -> None:
    assert "is finished, there is nothing to go on with" in lichen.wrong("train", "--resume", finished)
    assert "holds no recipe.toml" in lichen.wrong("train", "--resume", "pictures")
    assert "holds no recipe.toml" in lichen.wrong("train", "--resume", "nowhere")
    told = lichen.wrong("train", "--resume", finished, "--set", "train.lr=1")
    assert "Leave out the other options" in told


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_folders_that_are_no_runs(verb: str, place: Path, finished: Path, lichen: Lichen) -> None:
    more = ("pictures",) if verb == "predict" else ()
    for folder in ("nowhere", "texts.csv", "pictures"):
        assert "is not the folder of a run" in lichen.wrong(verb, folder, *more)
    shutil.copytree(finished, "copy")
    weights = Path("copy/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-9])
    assert "was altered or truncated" in lichen.wrong(verb, "copy", *more)
    weights.unlink()
    assert "is not in the folder. Copy it again" in lichen.wrong(verb, "copy", *more)
    Path("copy/lichen.json").unlink()
    assert "has not finished. Go on with: lichen train --resume" in lichen.wrong(verb, "copy", *more)


def test_evaluate_on_other_data(place: Path, finished: Path, lichen: Lichen) -> None:
    write_pictures(Path("stars"), ("moon", "star"))
    told = lichen.wrong("evaluate", finished, "--set", "data.path=stars")
    assert "classes: expected disc, square, got moon, star" in told
    # Refused before a frozen pass over the wrong pictures.
    assert not Path("lichen-features").exists()
    write_pictures(Path("more"), ("disc", "square", "star"), each=2)
    assert "The label 'star'" in lichen.wrong("evaluate", finished, "--set", "data.test=more")
    shutil.rmtree("more/star")
    out, _ = lichen("evaluate", finished, "--set", "data.test=more", "--split", "test", "--json")
    assert set(json.loads(out)["metrics"]) == {"test"}
    assert "can only be given other data. or store. settings" in lichen.wrong(
        "evaluate", finished, "--set", "side.rank=3"
    )
    assert "has no 'test' split" in lichen("evaluate", finished, "--split", "test", code=2)[1]
    shutil.copytree(finished, "copy")
    Path("copy/recipe.toml").unlink()
    assert "lacks its recipe.toml" in lichen.wrong("evaluate", "copy")


def test_a_damaged_store_is_made_again(place: Path, lichen: Lichen) -> None:
    words = ("cache", "pictures.toml", "--set", "store.folder=kept", "--json")
    folder = Path(json.loads(lichen(*words)[0])["stores"][0]["folder"])
    shards = sorted(folder.glob("shard-*"))
    contents, whole = [path.read_bytes() for path in shards], shards[0].stat().st_ino
    shards[1].write_bytes(contents[1][:-1] + b"?")
    shards[2].unlink()
    assert "is damaged" in lichen(*words)[1]
    assert [path.read_bytes() for path in shards] == contents
    assert shards[0].stat().st_ino == whole


def test_shares_of_a_store(place: Path, lichen: Lichen) -> None:
    for share in ("3/2", "0/2", "x", "1"):
        assert "--share takes K/N with K from 1 to N" in lichen.wrong("cache", "pictures.toml", "--share", share)
    assert "Share 1/2 is done." in lichen("cache", "pictures.toml", "--share", "1/2")[0]
    assert "24 samples through" in lichen("cache", "pictures.toml", "--share", "2/2")[0]
    assert "store.live is true" in lichen.wrong("cache", "pictures.toml", "--set", "store.live=true")


# Signals and full disks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_frozen_pass_goes_on(
    number: signal.Signals, code: int, place: Path, lichen: Lichen, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    commit = ShardFile.commit

    def stopping(self: ShardFile, *args: Any) -> str:
        if len(made) == 2:
            signal.raise_signal(number)
        made.append(self.path.name)
        return commit(self, *args)

    monkeypatch.setattr(ShardFile, "commit", stopping)
    _, err = lichen("train", "pictures.toml", "--out", "out", code=code)
    assert f"stopped by {'the keyboard' if code == 130 else 'SIGTERM'}. " in err
    assert "of 24 samples of 'input' were read. What was finished is kept: the same command goes on from there." in err
    assert not Path("out").exists() and len(list(Path("lichen-features").glob("*/shard-*.safetensors"))) == 2
    assert not list(Path("lichen-features").glob("*/.shard*")), "half a shard is left"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    monkeypatch.undo()
    monkeypatch.chdir(place)
    first = {path.name: path.stat().st_ino for path in Path("lichen-features").glob("*/shard-*.safetensors")}
    lichen("cache", "pictures.toml")
    after = {path.name: path.stat().st_ino for path in Path("lichen-features").glob("*/shard-*.safetensors")}
    assert len(after) == 6 and {name: after[name] for name in first} == first


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk(place: Path, lichen: Lichen) -> None:
    with largest_file(6000):
        assert "File too large. 0 of 6 shards are complete." in lichen("cache", "pictures.toml", code=2)[1]
    lichen("cache", "pictures.toml")
    with largest_file(20):
        assert "Cannot write to folder 'a': File too large" in lichen.wrong(
            "train", "pictures.toml", "--quiet", "--out", "a"
        )
    with largest_file(20_000):
        # Weights would not fit, which is said before they are trained.
        _, err = lichen("train", "pictures.toml", "--quiet", "--out", "b", code=2)
    assert "Folder 'b' has no room for the 1.1 MiB" in err and "metrics.jsonl" not in names(Path("b"))
    assert not {"model.safetensors", ".reserved"} & set(names(Path("b")))
    lichen("train", "pictures.toml", "--quiet", "--out", "b")
