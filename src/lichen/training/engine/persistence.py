"""The Trainer with other checkpoints: whole or absent, digests checked, no pickle, bit-exact to resume from.

checkpoint-<step>/
  model.safetensors             weights of the trained network
  optimizer.json, .safetensors  by parameter name
  scheduler.json                learning-rate schedule
  scaler.json                   gradient scaler, where float16 uses one
  rank-<i>.json, .safetensors   random generators and running loss of each process
  trainer_state.json            the Trainer's own: step, epoch, history
  position.json                 what the order of the samples depends on
  manifest.json                 SHA-256 of all these
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import Trainer
from transformers.trainer_callback import ExportableState

from ...errors import InputError
from ...files import read_json, staged_folder, to_json
from .checkpoints import (
    checkpoint_path,
    checkpoints,
    latest_checkpoint,
    rotate,
    verify_checkpoint,
    write_checkpoint,
)
from .order import Updates, check_same_order
from .resume import (
    WEIGHTS,
    load_optimiser,
    load_weights,
    optimiser_state,
    random_state,
    save_weights,
    set_random_state,
    weights_of,
)
from .trees import read_tree, write_tensors, write_tree

STATE, POSITION = "trainer_state.json", "position.json"


class PersistentTrainer(Trainer):
    """Replaces what the Trainer saves and loads. Subclasses give `order` once the data loader is made."""

    # The Trainer allows these to be None; here they never are when they are used.
    model: Any
    lr_scheduler: Any
    train_dataset: Any
    data_collator: Any

    order: Updates | None = None
    """The order of the samples."""
    resumed: Path | None = None
    """The checkpoint that the current training went on from."""
    saved: Path | None = None
    """The checkpoint that was saved last."""

    @property
    def run(self) -> Path:
        """The run folder."""
        return Path(str(self.args.output_dir))

    def find_checkpoint(self, wanted: str | Path | bool | None) -> Path | None:
        """The checkpoint to go on from, checked; None for a new training.

        Args:
            wanted: a checkpoint folder, True for the newest of the run, None or False for a new training.

        Raises:
            InputError: a new training is wanted in a folder that holds an old one, or there is nothing to resume.
            CheckpointError: the checkpoint is damaged.
        """
        run = self.run
        if wanted is None or wanted is False:
            found = checkpoints(run)
            if found:
                raise InputError(
                    f"{str(run)!r} holds {found[-1].name} of an earlier training. Resume it, or choose another folder."
                )
            return None
        if wanted is True:
            newest = latest_checkpoint(run, quiet=not self.is_world_process_zero())
            if newest is None:
                raise InputError(f"{str(run)!r} holds no checkpoint to resume from. Train without resuming.")
            return newest
        verify_checkpoint(Path(wanted))
        return Path(wanted)

    def _save_checkpoint(self, model: nn.Module, trial: Any = None) -> None:
        self.store_flos()
        target = checkpoint_path(self.run, self.state.global_step)
        best = checkpoint_path(self.run, self.state.best_global_step) if self.state.best_global_step else None
        if best is not None and (best == target or best.is_dir()):
            self.state.best_model_checkpoint = str(best)
        weights = weights_of(self.model)
        optimiser = optimiser_state(self.model, self._inner_optimiser())
        ranks = self._rank_states()
        if self.args.should_save:

            def write(stage: Path) -> None:
                save_weights(weights, stage)
                write_tree(stage, "optimizer", optimiser)
                self._write_engine(stage, ranks)

            write_checkpoint(self.run, self.state.global_step, write)
            rotate(self.run, self.args.save_total_limit, best)
        self.accelerator.wait_for_everyone()
        self.saved = target

    def _write_engine(self, stage: Path, ranks: list[Any]) -> None:
        """Everything but weights and optimiser."""
        write_tree(stage, "scheduler", self.lr_scheduler.state_dict())
        if self.accelerator.scaler is not None:
            write_tree(stage, "scaler", self.accelerator.scaler.state_dict())
        for index, tree in enumerate(ranks):
            write_tree(stage, f"rank-{index}", tree)
        order = None if self.order is None else self.order.describe()
        (stage / POSITION).write_bytes(to_json({"order": order, "processes": len(ranks)}))
        kept: Any = self.state.stateful_callbacks
        for callback in self.callback_handler.callbacks:
            if isinstance(callback, ExportableState):
                kept[type(callback).__name__] = callback.state()
        self.state.save_to_json(str(stage / STATE))

    def _inner_optimiser(self) -> Optimizer:
        """The optimiser inside accelerate's wrapper."""
        optimiser: Any = self.optimizer
        return getattr(optimiser, "optimizer", optimiser)

    def _rank_states(self) -> list[Any]:
        """What each process must remember by itself, in the order of the processes."""
        own = {"random": random_state(), "loss": self._tr_loss.cpu(), "logged": self._globalstep_last_logged}
        if self.args.world_size == 1:
            return [own]
        from accelerate.utils import gather_object

        return gather_object([own])

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        load_weights(self.model if model is None else model, Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        folder = Path(checkpoint)
        if self.order is not None:
            check_same_order(read_json(folder / POSITION).get("order") or {}, self.order.describe())
        load_optimiser(self.model, self._inner_optimiser(), read_tree(folder, "optimizer"))
        self.lr_scheduler.load_state_dict(read_tree(folder, "scheduler"))

    def _load_scaler(self, checkpoint: str | None) -> None:
        if checkpoint is not None and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(read_tree(Path(checkpoint), "scaler"))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        processes = read_json(Path(checkpoint) / POSITION)["processes"]
        if processes == self.args.world_size:
            set_random_state(read_tree(Path(checkpoint), f"rank-{self.args.process_index}")["random"])
        elif self.is_world_process_zero():
            print(
                f"lichen: {processes} processes saved the checkpoint and {self.args.world_size} go on, so random "
                "numbers (dropout) begin anew. The samples stay the same.",
                file=sys.stderr,
            )

    def continue_history(self, checkpoint: Path) -> None:
        """Continue the mean loss that the next log will show, and the best model; call it when training has begun."""
        if self.state.best_global_step:
            # The run folder may have moved since.
            best = checkpoint_path(self.run, self.state.best_global_step)
            self.state.best_model_checkpoint = str(best) if best.is_dir() else None
        processes = read_json(checkpoint / POSITION)["processes"]
        same = processes == self.args.world_size
        states = [read_tree(checkpoint, f"rank-{index}") for index in range(processes)]
        losses: list[Tensor] = [state["loss"] for state in states]
        loss = losses[self.args.process_index] if same else torch.stack(losses).mean()
        self._tr_loss.copy_(loss)
        # The Trainer's summary at the end is of the steps since resuming.
        self._total_loss_scalar -= float(loss)
        self._globalstep_last_logged = states[0]["logged"]

    def _load_best_model(self) -> None:
        folder = Path(str(self.state.best_model_checkpoint))
        verify_checkpoint(folder)
        load_weights(self.model, folder)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if self.args.should_save:
            weights = self.model.state_dict() if state_dict is None else state_dict
            with staged_folder(Path(output_dir or self.run)) as stage:
                write_tensors(stage / WEIGHTS, weights)
