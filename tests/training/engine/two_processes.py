"""Trains the tiny network in as many processes as a launcher starts; batches of 4 in each. Stops at step 4, resumes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

sys.path.insert(0, str(Path(__file__).parent))
import tiny

from lichen.training.engine.interrupts import Interrupted
from lichen.training.engine.trainer import LichenTrainer


class SignalInOneProcess(TrainerCallback):
    """Acts as if the second process alone had got SIGTERM in step 4."""

    trainer: LichenTrainer

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 3 and args.process_index == 1:
            self.trainer._signals.asked = 15


def main(folder: Path) -> None:
    settings = {"per_device_train_batch_size": 4, "train": tiny.dataset(21), "ddp_find_unused_parameters": False}
    callback = SignalInOneProcess()
    run = tiny.trainer(folder, tiny.net(dropout=0.0), callbacks=[callback], **settings)
    callback.trainer = run
    if run.args.world_size != 2:
        raise SystemExit(f"expected two processes, got {run.args.world_size}")
    try:
        run.train()
    except Interrupted as stop:
        if (stop.signal, stop.checkpoint.name) != (15, "checkpoint-4"):
            raise
    else:
        raise SystemExit("the signal was missed")
    again = tiny.trainer(folder, tiny.net(dropout=0.0), **settings)
    again.train(True)
    again.save_model()
    again.end()


main(Path(sys.argv[1]))
