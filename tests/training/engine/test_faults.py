"""Kills, torn and altered files, a full disk: a good checkpoint or none is found, never a wrong one."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lichen.errors import CheckpointError, InputError
from lichen.files import MANIFEST
from lichen.training.engine import checkpoints as writer
from lichen.training.engine import trees
from lichen.training.engine.checkpoints import (
    checkpoints,
    latest_checkpoint,
    rotate,
    sweep,
    verify_checkpoint,
    write_checkpoint,
)
from lichen.training.engine.trees import read_tree, write_tree

from .tiny import equal, trainer, wait_for, weights

SAVING = {"save_strategy": "steps", "save_steps": 1, "save_total_limit": 2}
# Loads of a damaged file must fail in words; any other error here is a bug.
DAMAGED = CheckpointError


def in_child(body: Callable[[], Any]) -> int:
    """Start `body` in a copy of this process, where torch is loaded already. Its exit code: 0 done, 2 InputError."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            body()
            code = 0
        except InputError:
            code = 2
        finally:
            os._exit(code)
    return child


def outcome(child: int) -> int:
    """Exit code of a child, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def content(step: int) -> dict[str, Any]:
    """What the checkpoint of a step must hold."""
    generator = torch.Generator().manual_seed(step)
    return {"step": step, "weight": torch.randn(64, 8, generator=generator), "rate": 1.0 / step}


def save(run: Path, step: int) -> None:
    write_checkpoint(run, step, lambda stage: write_tree(stage, "state", content(step)))
    rotate(run, 1)


def check_loads(run: Path) -> int:
    """Step of the newest checkpoint, whose content is checked; 0 for none."""
    folder = latest_checkpoint(run)
    if folder is None:
        return 0
    found = read_tree(folder, "state")
    step = found["step"]
    wanted = content(step)
    assert folder.name == f"checkpoint-{step}"
    assert found["rate"] == wanted["rate"] and torch.equal(found["weight"], wanted["weight"])
    return step


STEPS_OF_A_SAVE = [
    (writer.tempfile, "mkdtemp"),
    (trees, "save_file"),
    (Path, "write_bytes"),
    (writer, "sha256"),
    (os, "fsync"),
    (os, "rename"),
    (Path, "rename"),
    (Path, "chmod"),
    (shutil, "rmtree"),
]


def killed_at(count: int, run: Path, patch: pytest.MonkeyPatch) -> bool:
    """Save steps 2, 3 and 3 again in a child that is killed at its `count`-th step; False when it gets to the end."""
    left = [count]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    def body() -> None:
        for owner, name in STEPS_OF_A_SAVE:
            patch.setattr(owner, name, counted(getattr(owner, name)))
        for step in (2, 3, 3):
            save(run, step)

    code = outcome(in_child(body))
    assert code in (0, -signal.SIGKILL)
    return code != 0


@pytest.mark.parametrize(("before", "every"), [(0, 4), (1, 1)])
def test_a_kill_at_any_step_of_the_writer(
    before: int, every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills, seen = 0, set()
    for count in range(1, 200, every):
        run = tmp_path / str(count)
        run.mkdir()
        if before:
            save(run, 1)
        if not killed_at(count, run, monkeypatch):
            break
        kills += 1
        reached = check_loads(run)
        assert reached >= before
        sweep(run)
        assert check_loads(run) == reached
        assert {path.name for path in run.iterdir()} == {path.name for path in checkpoints(run)}
        save(run, 4)
        assert check_loads(run) == 4
        seen.add(reached)
    assert kills >= (50 if every == 1 else 12) and seen == {before, 2, 3}


def test_a_training_killed_again_and_again_equals_a_straight_one(tmp_path: Path) -> None:
    more = {**SAVING, "max_steps": 15}
    straight = trainer(tmp_path / "straight", **more)
    straight.train()
    run, dice = tmp_path / "run", random.Random(1)
    kills, reached = 0, []
    while kills < 4:
        first = latest_checkpoint(run)
        resume = first is not None
        child = in_child(lambda resume=resume: trainer(run, **more).train(resume))
        # Kill it while it saves, somewhere in the second or third checkpoint from here.
        wanted, folder = dice.choice((1, 2)), run
        last = 0 if first is None else int(first.name.partition("-")[2])
        while not any(path.name.startswith(f".staged-checkpoint-{last + wanted + 1}.") for path in folder.glob(".st*")):
            if os.waitpid(child, os.WNOHANG)[0]:
                raise AssertionError("the training ended before it could be killed")
            if (folder / f"checkpoint-{last + wanted + 2}").exists():
                break
            time.sleep(0.0005)
        time.sleep(dice.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        assert outcome(child) == -signal.SIGKILL
        kills += 1
        newest = latest_checkpoint(run)
        reached.append(0 if newest is None else int(newest.name.partition("-")[2]))
    assert max(reached) > 3
    resumed = trainer(run, **more)
    resumed.train(latest_checkpoint(run) is not None)
    assert equal(weights(straight), weights(resumed))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with the checkpoints of two steps."""
    run = trainer(tmp_path_factory.mktemp("saved"), **SAVING, max_steps=2)
    run.train()
    return run.run


def load_all(folder: Path) -> None:
    """Open every file as resuming would."""
    for path in folder.glob("*.safetensors"):
        load_file(path)
    for path in folder.glob("*.json"):
        json.loads(path.read_text())


def test_truncation_at_twenty_points(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    shutil.copytree(saved, run)
    folder = run / "checkpoint-2"
    files = sorted(folder.iterdir())
    load_all(folder)
    ends = [0, 1, 2, 3]
    points = [(path, path.stat().st_size * part // 4) for path in files for part in ends]
    dice = random.Random(2)
    chosen = [(folder / MANIFEST, folder.joinpath(MANIFEST).stat().st_size - 1), *dice.sample(points, 19)]
    for path, length in chosen:
        whole = path.read_bytes()
        path.write_bytes(whole[:length])
        with pytest.raises(DAMAGED):
            verify_checkpoint(folder)
        capsys.readouterr()
        assert latest_checkpoint(run) == run / "checkpoint-1"
        assert "checkpoint-2 is damaged" in capsys.readouterr().err
        path.write_bytes(whole)
    verify_checkpoint(folder)


def test_two_hundred_bit_flips_are_all_caught(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-2"
    shutil.copytree(saved / "checkpoint-2", folder)
    dice = random.Random(3)
    files = sorted(folder.iterdir())
    sizes = [path.stat().st_size for path in files]
    chosen = [folder / MANIFEST] * 60 + dice.choices(files, sizes, k=140)
    caught = 0
    for path in chosen:
        whole = path.read_bytes()
        place = dice.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << dice.randrange(8))]) + whole[place + 1 :])
        try:
            verify_checkpoint(folder)
        except DAMAGED:
            caught += 1
        path.write_bytes(whole)
    verify_checkpoint(folder)
    assert caught == len(chosen) == 200


@pytest.mark.parametrize("limit", [200, 8000])
def test_a_full_disk_loses_nothing(limit: int, tmp_path: Path) -> None:
    more = {**SAVING, "logging_strategy": "no", "lr_scheduler_type": "constant"}

    def train() -> None:
        run = trainer(tmp_path, **more)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        run.train(True)

    trainer(tmp_path, max_steps=2, **more).train()
    assert outcome(in_child(train)) == 2
    names = {path.name for path in tmp_path.iterdir()} - {".lichen-lock", "metrics.jsonl"}
    assert names == {"checkpoint-1", "checkpoint-2"}
    # With space again, training goes on.
    run = trainer(tmp_path, **more)
    run.train(True)
    straight = trainer(tmp_path / "straight", lr_scheduler_type="constant")
    straight.train()
    assert equal(weights(straight), weights(run))


def test_two_trainings_in_one_folder(tmp_path: Path) -> None:
    def train() -> None:
        trainer(tmp_path, max_steps=100_000, logging_strategy="no").train()

    child = in_child(train)
    wait_for(tmp_path / "metrics.jsonl", child)
    try:
        with pytest.raises(InputError, match=rf"Process {child} on .* is training in"):
            trainer(tmp_path).train()
    finally:
        os.kill(child, signal.SIGKILL)
        outcome(child)
    trainer(tmp_path, max_steps=1).train()


def test_training_sweeps_what_was_left(tmp_path: Path) -> None:
    for name in (".staged-checkpoint-1.abc", ".old-checkpoint-1.abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"half")
    (tmp_path / ".old-checkpoint-1.abc").rename(tmp_path / ".old-checkpoint-x.abc")
    trainer(tmp_path, **SAVING, max_steps=1).train()
    assert {path.name for path in tmp_path.iterdir()} == {".lichen-lock", "metrics.jsonl", "checkpoint-1"}


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "file left out": lambda manifest: manifest["sha256"].pop("model.safetensors"),
    "digest of another": lambda manifest: manifest["sha256"].update({"position.json": "0" * 64}),
    "file outside": lambda manifest: manifest["sha256"].update({"../checkpoint-1/manifest.json": "0" * 64}),
    "absent file": lambda manifest: manifest["sha256"].update({"more.json": "0" * 64}),
    "no digests": lambda manifest: manifest.update(sha256={}),
    "other layout": lambda manifest: manifest.update(format="x"),
    "no layout": lambda manifest: manifest.pop("format"),
    "digest of another type": lambda manifest: manifest["sha256"].update({"position.json": None}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_manifest_is_caught(edit: str, saved: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(saved, run)
    manifest = json.loads((run / "checkpoint-2" / MANIFEST).read_text())
    EDITS[edit](manifest)
    (run / "checkpoint-2" / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DAMAGED):
        verify_checkpoint(run / "checkpoint-2")
    assert latest_checkpoint(run) == run / "checkpoint-1"
