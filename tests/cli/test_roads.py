"""One recipe, one answer: from stored or live features, in one go or resumed, with one process or two."""

from __future__ import annotations

import gc
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from lichen.cli.main import main
from lichen.features.record import shard_name
from lichen.training.engine.metrics_log import read_metrics

from .recipes_data import CIFAR, save_bert, save_vit, write_archive, write_texts

pytest.importorskip("matplotlib", reason="matplotlib, which draws the curves, is not installed")
STEPS = 50
METHODS = ("pooled", "unipt", "lst", "sherl", "probe")
NO_DROPOUT = ("side.dropout=0", "head.dropout=0")
# Where a batch is cut into two, its sums are taken in another order. The largest difference seen is 1.2e-6.
ROADS = {"rtol": 0.0, "atol": 2e-5}
RECIPE = """
task = "classify"

[data]
{data}

[backbone]
name = "{backbone}"
max_tokens = 64

[side]
method = "pooled"

[store]
folder = "{features}"
shard = 16

[train]
steps = {steps}
batch = 8
lr = 1e-2
log_every = 5
eval_every = 20
"""


@pytest.fixture(scope="module", autouse=True)
def without_curves() -> Iterator[None]:
    """The runs are compared by numbers; drawing would take as long as the training. test_recipes.py draws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lichen.training.engine.curves.draw_curves", lambda metrics, picture: None)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tiny backbones, data, and the recipes texts.toml and pictures.toml."""
    root = tmp_path_factory.mktemp("roads")
    write_texts(root / "train.jsonl", ("good", "bad", "neither"), 80, longest=14)
    write_archive(root / "train.npz", CIFAR[:4], 80)
    recipes = {
        "texts": ('kind = "table"\ntrain = "train.jsonl"', save_bert(root / "bert")),
        "pictures": ('kind = "npz"\ntrain = "train.npz"', save_vit(root / "vit")),
    }
    for name, (data, backbone) in recipes.items():
        text = RECIPE.format(data=data, backbone=backbone, features=root / "features", steps=STEPS)
        (root / f"{name}.toml").write_text(text, "utf-8")
    return root


def words_for(place: Path, kind: str, folder: Path, *changes: str) -> list[str]:
    """The command line that trains a recipe into a folder."""
    settings = [word for change in changes for word in ("--set", change)]
    return ["train", str(place / f"{kind}.toml"), "--quiet", "--out", str(folder), *settings]


def train(place: Path, kind: str, folder: Path, *changes: str) -> Path:
    # Every training begins with a full garbage collection; what is loaded by now need not be looked through each time.
    gc.freeze()
    assert main(words_for(place, kind, folder, *changes)) == 0
    return folder


def weights(run: Path) -> dict[str, Tensor]:
    return load_file(run / "model.safetensors")


def lines(run: Path) -> list[dict[str, Any]]:
    """What the run wrote about its steps, without the speed."""
    return [
        {name: value for name, value in line.items() if name != "samples_per_second"}
        for line in read_metrics(run / "metrics.jsonl")
    ]


def scores(run: Path) -> Mapping[str, Any]:
    return json.loads((run / "lichen.json").read_text("utf-8"))["facts"]["metrics"]


def check_same(one: Path, other: Path) -> None:
    """Bit for bit, and number for number."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    assert lines(one) == lines(other)
    assert [line["step"] for line in lines(one) if "loss" in line] == [1, *range(5, STEPS + 1, 5)]
    assert [line["step"] for line in lines(one) if "eval_loss" in line] == [20, 40, STEPS]
    assert scores(one) == scores(other) and scores(one)["dev"]


def check_close(one: Path, other: Path) -> None:
    """Within `ROADS`."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(first[name], second[name], **ROADS)
    for mine, theirs in zip(lines(one), lines(other), strict=True):
        assert mine == pytest.approx(theirs, abs=1e-4)


@pytest.fixture(scope="module")
def straight(place: Path) -> Path:
    """A training of texts in one go, from the store."""
    run = train(place, "texts", place / "straight")
    first, *_, last = [line["loss"] for line in lines(run) if "loss" in line]
    assert last < 0.9 * first, "something is learnt, so that equal answers say something"
    return run


@pytest.fixture(scope="module")
def without_dropout(place: Path) -> Path:
    """The same in batches of 8 without dropout, whose draws depend on how a batch is cut."""
    return train(place, "texts", place / "without-dropout", *NO_DROPOUT)


# Stored and live features.


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["texts", "pictures"])
def test_stored_equals_live(place: Path, tmp_path: Path, kind: str, method: str) -> None:
    changes = [f"side.method={method}", *(["side.dropout=0.1"] if method == "sherl" else [])]
    stored = train(place, kind, tmp_path / "stored", *changes)
    live = train(place, kind, tmp_path / "live", *changes, "store.live=true")
    check_same(stored, live)


def test_another_seed_gives_another_answer(place: Path, straight: Path, tmp_path: Path) -> None:
    other = train(place, "texts", tmp_path / "other", "seed=1")
    assert lines(other) != lines(straight)
    assert not torch.equal(*(weights(run)["head.classifier.linear.weight"] for run in (other, straight)))


def test_accumulating_equals_a_larger_batch(place: Path, without_dropout: Path, tmp_path: Path) -> None:
    check_close(
        without_dropout, train(place, "texts", tmp_path / "run", *NO_DROPOUT, "train.batch=4", "train.accumulate=2")
    )


# Stopped and resumed.


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONWARNINGS": "ignore", **more}


def spawn(words: Sequence[str], told: Path, launcher: Sequence[str] = ()) -> int:
    """Start the command line in a process of its own, its stderr in a file; the number of the process."""
    opened = (os.POSIX_SPAWN_OPEN, 2, str(told), os.O_WRONLY | os.O_CREAT, 0o644)
    command = [sys.executable, *launcher, "-m", "lichen", *words]
    return os.posix_spawn(sys.executable, command, environment(), file_actions=[opened])


def fork(words: Sequence[str], told: Path) -> int:
    """As `spawn`, in a copy of this process, where all is loaded already."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with told.open("w") as sys.stderr:
                code = main(words)
        finally:
            os._exit(code)
    return child


def wait_until(ready: Callable[[], bool], child: int, told: Path) -> None:
    """Until something is so; fails when the child ends before."""
    while not ready():
        if os.waitpid(child, os.WNOHANG)[0]:
            raise AssertionError(f"the child ended early: {told.read_text()}")
        time.sleep(0.002)


def has_lines(run: Path) -> bool:
    metrics = run / "metrics.jsonl"
    return metrics.is_file() and metrics.stat().st_size > 0


def outcome(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    ("start", "number", "code"),
    [(spawn, signal.SIGTERM, 143), (fork, signal.SIGINT, 130)],
    ids=["sigterm", "ctrl-c"],
)
def test_resumed_equals_straight(
    place: Path, straight: Path, tmp_path: Path, start: Callable[..., int], number: int, code: int
) -> None:
    run, told = tmp_path / "my run", tmp_path / "told"
    # Live, because the backbone slows the steps down: the signal comes after the first line, with many steps to go.
    child = start(words_for(place, "texts", run, "store.live=true"), told)
    wait_until(lambda: has_lines(run), child, told)
    os.kill(child, number)
    assert outcome(child) == code
    message = told.read_text()
    assert "Traceback" not in message and not (run / "model.safetensors").exists()
    checkpoints = list(run.glob("checkpoint-*"))
    *_, advice = message.strip().splitlines()
    assert len(checkpoints) == 1 and str(checkpoints[0]) in advice
    _, _, command = advice.partition("Go on with: ")
    assert shlex.split(command) == ["lichen", "train", "--resume", str(run)]
    assert main([*shlex.split(command)[1:], "--quiet"]) == 0
    check_same(straight, run)


# One process and two.


def launched(launcher: Sequence[str], words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *launcher, "-m", "lichen", *words]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=240, check=False)


def check_two(place: Path, one: Path, run: Path, launcher: Sequence[str]) -> None:
    """Two processes with batches of 4 and a store of their own against one process with batches of 8."""
    changes = (*NO_DROPOUT, "train.batch=4", f"store.folder={run.parent / 'features'}")
    done = launched(launcher, words_for(place, "texts", run, *changes))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("next:") == 1, "the first process alone speaks"
    check_close(one, run)
    assert tree(run.parent / "features") == tree(place / "features", like=run.parent / "features")


def tree(folder: Path, like: Path | None = None) -> dict[str, bytes]:
    """All files below a folder, or those that another folder has too."""
    names = sorted(str(path.relative_to(like or folder)) for path in (like or folder).rglob("*") if path.is_file())
    return {name: (folder / name).read_bytes() for name in names}


ACCELERATE = ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1")
ACCELERATE += ("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0")


def test_two_processes_under_accelerate_launch_equal_one(place: Path, without_dropout: Path, tmp_path: Path) -> None:
    # Without a GPU, `--multi_gpu` is what makes accelerate start more than one process; they talk through gloo.
    check_two(place, without_dropout, tmp_path / "run", ACCELERATE)


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


@pytest.mark.slow
def test_two_processes_under_torchrun_equal_one(place: Path, without_dropout: Path, tmp_path: Path) -> None:
    check_two(place, without_dropout, tmp_path / "run", TORCHRUN)


@pytest.mark.slow
def test_two_stopped_processes_go_on(place: Path, without_dropout: Path, tmp_path: Path) -> None:
    run, told = tmp_path / "run", tmp_path / "told"
    changes = (*NO_DROPOUT, "train.batch=4", "store.live=true")
    child = spawn(words_for(place, "texts", run, *changes), told, TORCHRUN)
    wait_until(lambda: has_lines(run), child, told)
    os.kill(child, signal.SIGTERM)
    assert outcome(child) == 1 and not (run / "model.safetensors").exists()
    message = told.read_text()
    assert message.count("Go on with: ") == 1, "the first process alone speaks"
    (command,) = [line.partition("Go on with: ")[2] for line in message.splitlines() if "Go on with: " in line]
    assert shlex.split(command) == ["torchrun", "--nproc_per_node", "2", "-m", "lichen", "train", "--resume", str(run)]
    done = launched(TORCHRUN, shlex.split(command)[5:])
    assert done.returncode == 0, done.stderr
    check_close(without_dropout, run)


def shards(features: Path) -> set[str]:
    return {path.name for path in features.rglob("*.safetensors")}


def test_processes_share_the_frozen_pass(
    place: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, told = tmp_path / "features", tmp_path / "told"
    words = ["cache", str(place / "texts.toml"), "--json", "--set", f"store.folder={features}"]
    monkeypatch.setenv("WORLD_SIZE", "2"), monkeypatch.setenv("RANK", "1")
    second = fork(words, told)
    own = {shard_name(number) for number in (1, 3)}
    wait_until(lambda: own <= shards(features), second, told)
    time.sleep(0.2)
    assert os.waitpid(second, os.WNOHANG)[0] == 0 and shards(features) == own, "the second waits for the first"
    monkeypatch.setenv("RANK", "0")
    assert main(words) == 0
    assert outcome(second) == 0
    assert tree(features) == tree(place / "features", like=features)
