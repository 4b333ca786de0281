"""SIGTERM and Ctrl-C: one checkpoint, the way to go on, and a resumed run that equals a straight one."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from lichen.errors import InputError, LichenError
from lichen.training.engine import interrupts, persistence
from lichen.training.engine.curves import DrawCurves
from lichen.training.engine.interrupts import Interrupted, Signals
from lichen.training.engine.metrics_log import read_metrics
from lichen.training.engine.trainer import LichenTrainer

from .tiny import dataset, equal, history, trainer, wait_for, weights

COMMAND = "lichen train digits.toml --resume"


class Kick(TrainerCallback):
    """Sends this process a signal at one moment of one step."""

    def __init__(self, moment: str, step: int, *numbers: int) -> None:
        self.step = step
        self.numbers = numbers
        setattr(self, moment, self.kick)

    def kick(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            for number in self.numbers:
                signal.raise_signal(number)


def interrupted(folder: Path, kick: Kick, **more: Any) -> tuple[LichenTrainer, Interrupted]:
    run = trainer(folder, callbacks=[kick], resume_command=COMMAND, **more)
    with pytest.raises(Interrupted) as caught:
        run.train()
    return run, caught.value


def saved(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("checkpoint-*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_once_and_tells_how_to_go_on(
    number: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    writes = []
    write = persistence.write_checkpoint
    monkeypatch.setattr(persistence, "write_checkpoint", lambda *args: writes.append(args[1]) or write(*args))
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    metrics, picture = tmp_path / "metrics.jsonl", tmp_path / "curves.png"
    # The signal comes in the middle of step 5; a checkpoint of that step was due anyway.
    kick = Kick("on_step_begin", 4, number, number)
    own = [kick, DrawCurves(metrics, picture)]
    run = trainer(tmp_path, callbacks=own, resume_command=COMMAND, save_strategy="steps", save_steps=5)
    with pytest.raises(Interrupted) as caught:
        run.train()
    stop = caught.value
    assert (stop.signal, stop.exit_code, stop.checkpoint) == (number, code, tmp_path / "checkpoint-5")
    assert str(stop).endswith(f"Go on with: {COMMAND}") and str(stop.checkpoint) in str(stop)
    assert isinstance(stop, LichenError) and not isinstance(stop, InputError)
    assert writes == [5] and saved(tmp_path) == ["checkpoint-5"] and picture.is_file()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert "finishing this step and saving" in capfd.readouterr().err
    monkeypatch.undo()

    straight, again = trainer(tmp_path / "straight"), trainer(tmp_path)
    straight.train()
    again.train(True)
    assert equal(weights(straight), weights(again)) and history(straight) == history(again)
    assert [line["step"] for line in read_metrics(metrics)] == list(range(1, 10))


@pytest.mark.parametrize(
    ("moment", "step", "evaluating"),
    [
        ("on_step_begin", 5, {"eval_strategy": "epoch", "save_strategy": "epoch"}),
        ("on_step_begin", 3, {"eval_strategy": "steps", "eval_steps": 4}),
        ("on_step_begin", 8, {"eval_strategy": "steps", "eval_steps": 4}),
        ("on_prediction_step", 6, {"eval_strategy": "epoch", "save_strategy": "epoch"}),
        ("on_prediction_step", 4, {"eval_strategy": "steps", "eval_steps": 4}),
    ],
    ids=["epoch-end", "evaluation-step", "last-step", "in-epoch-evaluation", "in-evaluation"],
)
def test_an_evaluation_that_was_cut_is_made_up_for(
    moment: str, step: int, evaluating: dict[str, Any], tmp_path: Path
) -> None:
    more = {"dev": dataset(16), "metric_for_best_model": "loss", **evaluating}
    straight = trainer(tmp_path / "straight", **more)
    straight.train()
    stopped, stop = interrupted(tmp_path / "run", Kick(moment, step, signal.SIGTERM), **more)
    last = step if moment == "on_prediction_step" else step + 1
    assert stop.checkpoint.name == f"checkpoint-{last}"
    assert not any(line[0] == last and line[4] is not None for line in history(stopped)), "the evaluation was left out"
    again = trainer(tmp_path / "run", **more)
    again.train(True)
    assert equal(weights(straight), weights(again)) and history(straight) == history(again)
    assert again.state.best_metric == straight.state.best_metric


def test_the_checkpoint_of_a_stop_outlives_the_best_one(tmp_path: Path) -> None:
    more = {"dev": dataset(8), "eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps", "save_steps": 1}
    more |= {"metric_for_best_model": "loss", "greater_is_better": True, "save_total_limit": 1}
    _, stop = interrupted(tmp_path, Kick("on_step_begin", 3, signal.SIGTERM), load_best_model_at_end=True, **more)
    assert stop.checkpoint.name in saved(tmp_path) == ["checkpoint-1", "checkpoint-4"]


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_SAME_PRESS", -1.0)
    run = trainer(tmp_path, callbacks=[Kick("on_step_begin", 2, signal.SIGINT, signal.SIGINT)])
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run.train()
    assert saved(tmp_path) == [] and run.state.global_step == 2
    assert signal.getsignal(signal.SIGINT) == before
    trainer(tmp_path).train()


def test_a_signal_after_the_last_step_is_not_swallowed(tmp_path: Path) -> None:
    run = trainer(tmp_path, callbacks=[Kick("on_train_end", 9, signal.SIGINT)])
    # A shell starts background jobs with Ctrl-C ignored, and the tests may run in one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run.train()
    finally:
        signal.signal(signal.SIGINT, before)
    assert run.state.global_step == 9


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    found = []

    def body() -> None:
        with Signals():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert found == [before]


class Slow(TrainerCallback):
    """Tells that training is under way, and gives a signal the time to come."""

    def __init__(self, told: Path) -> None:
        self.told = told

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.told.touch()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_from_outside(number: int, tmp_path: Path) -> None:
    told = tmp_path / "told"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            more = {"max_steps": 1000, "dataloader_num_workers": 1}
            trainer(tmp_path / "run", callbacks=[Slow(told)], **more).train()
        except Interrupted as stop:
            code = stop.exit_code
        finally:
            os._exit(code)
    wait_for(told, child)
    os.kill(child, number)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + number
    (checkpoint,) = saved(tmp_path / "run")
    persistence.verify_checkpoint(tmp_path / "run" / checkpoint)
