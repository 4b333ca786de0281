"""`metrics.jsonl`: one JSON line for every log and every evaluation of a run.

A checkpoint remembers all lines up to its step, so a resumed run begins by writing those again: lines of steps that
are to be repeated go, and a line that was cut short by a crash is whole again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ...errors import CheckpointError, InputError
from ...files import write_atomic

METRICS = "metrics.jsonl"
_RENAMED = {"learning_rate": "lr"}
_PLAIN = ("step", "epoch", "loss", "learning_rate", "grad_norm", "samples_per_second")
_LEFT_OUT = ("_runtime", "_per_second", "_time")


def as_line(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the log keeps of an entry of the Trainer's history; None for its summary at the end.

    Training lines have step, epoch, loss, lr, grad_norm and samples_per_second; evaluations step, epoch and eval_….
    A value that is not finite is null, since JSON knows no other.
    """
    line: dict[str, Any] = {}
    for name in (*(name for name in _PLAIN if name in entry), *(name for name in entry if name not in _PLAIN)):
        value = entry[name]
        if name in _PLAIN or (name.startswith("eval_") and not name.endswith(_LEFT_OUT)):
            finite = not isinstance(value, float) or math.isfinite(value)
            line[_RENAMED.get(name, name)] = value if finite else None
    is_evaluation = any(name.startswith("eval_") for name in line)
    return line if "loss" in line or is_evaluation else None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a metrics file, in order. A last line without its end, left by a crash, is left out.

    Raises:
        CheckpointError: the file is absent or another line is not JSON.
    """
    try:
        *lines, _ = path.read_text("utf-8").split("\n")
        return [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read as JSON lines: {error}.") from error


class MetricsLog(TrainerCallback):
    """Writes the file, from the first process only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin with the lines of the checkpoint, or with none."""
        if state.is_world_process_zero:
            lines = [line for line in map(as_line, state.log_history) if line is not None]
            with self._writing():
                write_atomic(self.path, "".join(map(_text, lines)).encode())

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Append the newest line."""
        line = as_line(state.log_history[-1])
        if line is not None and state.is_world_process_zero:
            with self._writing(), self.path.open("a", encoding="utf-8") as file:
                file.write(_text(line))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"Cannot write {str(self.path)!r}: {error.strerror or error}. Free some space or make the folder "
                "writable; checkpoints that were saved are whole."
            ) from error


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(line) + "\n"
