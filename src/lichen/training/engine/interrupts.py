"""SIGTERM and Ctrl-C: the step is finished, one checkpoint saved, training stopped, the way to go on told.

Where several processes train, all stop at the same step, whichever of them got the signal.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from transformers import IntervalStrategy, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ...errors import LichenError

_NAMES = {int(signal.SIGINT): "Ctrl-C", int(signal.SIGTERM): "SIGTERM"}
_SAME_PRESS = 0.5
"""Seconds in which a second SIGINT is the same one: terminal and launcher both pass it on."""


class Interrupted(LichenError):
    """Training was stopped by a signal, after everything so far was saved."""

    def __init__(self, number: int, checkpoint: Path, resume_command: str) -> None:
        go_on = f"Go on with: {resume_command}" if resume_command else "Resume from it to go on."
        super().__init__(
            f"Training was stopped by {_NAMES.get(number, f'signal {number}')}. "
            f"Everything so far is saved in {str(checkpoint)!r}. {go_on}"
        )
        self.signal = number
        """Number of the signal: 2 for Ctrl-C, 15 for SIGTERM."""
        self.checkpoint = checkpoint
        """Folder to resume from."""

    @property
    def exit_code(self) -> int:
        """What a shell reports for this signal: 130 or 143."""
        return 128 + self.signal


class Signals:
    """Context manager that notes the first SIGINT or SIGTERM; a second Ctrl-C raises KeyboardInterrupt at once.

    Only the main thread can install it; elsewhere it does nothing.
    """

    def __init__(self) -> None:
        self.asked = 0
        """Number of the signal that asked to stop; 0 for none."""
        self._since = 0.0
        self._process = os.getpid()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self.asked, self._process = 0, os.getpid()
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _NAMES}
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.asked:
            if number == signal.SIGINT and now - self._since > _SAME_PRESS:
                raise KeyboardInterrupt
            return
        self.asked, self._since = number, now
        if os.getpid() != self._process:
            # A data loader's worker: the training process decides when it ends.
            return
        words = f"\nlichen: {_NAMES[number]}: finishing this step and saving. Ctrl-C stops at once.\n"
        # print() is not safe here: the signal may have come in the middle of one.
        os.write(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2, words.encode())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


class EvaluationCut(Exception):
    """Leaves an evaluation that a signal came into."""


class StopOnSignal(TrainerCallback):
    """Ends training at the end of the step in which a signal came, with a checkpoint."""

    def __init__(self, agreed: Callable[[], int], stopped: Callable[[int], Interrupted]) -> None:
        """Wire the callback.

        Args:
            agreed: the signal that any process got, or 0; all processes call it at the same moments.
            stopped: makes the error to raise once the checkpoint is saved.
        """
        self._agreed = agreed
        self._stopped = stopped
        self._number = 0

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Ask for a checkpoint and the end, and for nothing that takes long."""
        self._number = self._agreed()
        if self._number:
            control.should_save = True
            control.should_evaluate = False
            control.should_training_stop = True
        return control

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave before the epoch's own evaluation and checkpoint."""
        if self._number:
            number, self._number = self._number, 0
            raise self._stopped(number)

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Cut an evaluation short; it is made up for after resuming."""
        if self._agreed():
            raise EvaluationCut


def evaluation_is_owed(args: TrainingArguments, state: TrainerState) -> bool:
    """True where a straight run would have evaluated at the current step, but was stopped before it could."""
    strategy = IntervalStrategy(args.eval_strategy)
    if strategy == IntervalStrategy.NO:
        return False
    if strategy == IntervalStrategy.EPOCH:
        due, now = float(state.epoch or 0).is_integer(), state.epoch or 0
    else:
        due, now = state.global_step % state.eval_steps == 0 or state.global_step >= state.max_steps, state.global_step
    here = [entry for entry in state.log_history if entry["step"] == state.global_step]
    made = any(name.startswith("eval_") for entry in here for name in entry)
    return due and args.eval_delay <= now and not made
