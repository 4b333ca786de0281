"""Shows on stderr how training goes: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ...memory import MIB


class Throughput:
    """Samples a second over the steps since it was last asked; evaluations and checkpoints do not count."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._seconds = 0.0
        self._samples = 0
        self.latest = 0.0
        """What `rate` last returned."""

    def pause_over(self) -> None:
        """Do not count the time until now."""
        self._last = time.perf_counter()

    def step(self, samples: int) -> None:
        """Count one update of so many samples."""
        now = time.perf_counter()
        self._seconds += now - self._last
        self._samples += samples
        self._last = now

    def rate(self) -> float:
        """Samples a second since the last call; the previous answer where no step was made since."""
        if self._samples:
            self.latest = self._samples / max(self._seconds, 1e-9)
            self._seconds, self._samples = 0.0, 0
        return self.latest


class ShowProgress(TrainerCallback):
    """Step, loss, samples a second, kept bytes and time left, from the first process only."""

    def __init__(self, throughput: Throughput, kept: Callable[[], int | None], quiet: bool = False) -> None:
        """Wire the callback.

        Args:
            throughput: asked for the speed.
            kept: bytes kept for the backward pass of one batch, once they are known.
            quiet: show nothing.
        """
        self._throughput = throughput
        self._kept = kept
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._figures: dict[str, str] = {}
        self._start = (0.0, 0)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Open the bar where stderr is a terminal."""
        self._figures = {}
        self._start = (time.perf_counter(), state.global_step)
        if self._quiet or not state.is_world_process_zero or not sys.stderr.isatty():
            return
        columns = (TextColumn("step"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.fields[words]}"))
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task("", total=state.max_steps, completed=state.global_step, words="")
        self._bar.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Advance the bar."""
        if self._bar is not None:
            self._bar.update(self._task, completed=state.global_step, words=self._words(state))

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Take the new figures; without a bar, print them."""
        logs = state.log_history[-1]
        for name, value in logs.items():
            if isinstance(value, float) and _is_shown(name):
                self._figures[name.removeprefix("eval_") if name != "eval_loss" else "dev loss"] = f"{value:.4g}"
        if "train_runtime" in logs or self._quiet or not state.is_world_process_zero:
            return
        if self._bar is None:
            print(f"step {state.global_step}/{state.max_steps}  {self._words(state)}", file=sys.stderr, flush=True)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave the bar as it stands."""
        self.close()

    def close(self) -> None:
        """Give the terminal back; safe to repeat."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _words(self, state: TrainerState) -> str:
        """What stands behind the step."""
        words = [f"{name} {value}" for name, value in self._figures.items()]
        if self._throughput.latest:
            words.append(f"{self._throughput.latest:,.0f} samples/s")
        kept = self._kept()
        if kept is not None:
            words.append(f"kept {kept / MIB:,.2f} MiB" if kept >= MIB else f"kept {kept / 1024:,.1f} KiB")
        begun, first = self._start
        if state.global_step > first:
            seconds = (time.perf_counter() - begun) / (state.global_step - first)
            words.append(f"{clock(seconds * (state.max_steps - state.global_step))} left")
        return " · ".join(words)


def _is_shown(name: str) -> bool:
    """Losses and metrics; not the speed and the settings that the Trainer logs beside them."""
    if name == "loss":
        return True
    return name.startswith("eval_") and not name.endswith(("_runtime", "_per_second", "_time"))


def clock(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
