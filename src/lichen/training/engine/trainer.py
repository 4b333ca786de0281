"""`LichenTrainer`: transformers' Trainer over stored or live features.

It adds what the Trainer lacks: features in place of model inputs, an order of samples that does not depend on the
number of processes, checkpoints that resume bit for bit, a clean stop on signals, and stops before a bad update.
Devices, DDP and FSDP, mixed precision, accumulation, schedules, clipping, trackers and callbacks stay the Trainer's.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn
from transformers import (
    IntervalStrategy,
    PrinterCallback,
    ProgressCallback,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_utils import TrainOutput

from ...backbones.features import Features
from ...backbones.late import place_late
from ...errors import InputError
from ...heads.contrastive import PairLoss
from ...heads.decoder.decoder import TextDecoder
from ...memory import KeptBytes
from .checkpoints import sweep
from .finite import FiniteGuard, NonFiniteError, Update, rows_to_blame
from .guard import check_features, check_graph
from .interrupts import EvaluationCut, Interrupted, Signals, StopOnSignal, evaluation_is_owed
from .locks import RunLock
from .metrics_log import METRICS, MetricsLog
from .order import RowDataset, Updates
from .out_of_memory import out_of_memory_explained
from .persistence import PersistentTrainer
from .progress import ShowProgress, Throughput
from .resume import random_state_kept

Batch = Mapping[str, Any]
Read = Callable[[Mapping[str, Any]], Mapping[str, Features]]
_REFUSED = (
    "push_to_hub",
    "save_only_model",
    "ignore_data_skip",
    "auto_find_batch_size",
    "enable_jit_checkpoint",
    "dataloader_drop_last",
    "deepspeed",
)
"""Training arguments that would undo what this trainer promises."""


@runtime_checkable
class Collate(Protocol):
    """Makes a batch of row numbers: {"rows": LongTensor, "targets": {name: Tensor}} and one of

    "features": {part: Features} from a store, or "samples": {part: list of model inputs} for a live backbone.
    """

    def __call__(self, rows: Sequence[int]) -> dict[str, Any]: ...


class LichenTrainer(PersistentTrainer):
    """Trains a module `forward(features, targets) -> {"loss": …, outputs}` on rows of a store or data set."""

    def __init__(
        self,
        model: nn.Module,
        args: TrainingArguments,
        collate: Collate,
        train: RowDataset,
        dev: RowDataset | None = None,
        *,
        read: Read | None = None,
        compute_metrics: Callable[[Any], dict[str, float]] | None = None,
        callbacks: Sequence[TrainerCallback] = (),
        resume_command: str = "",
        buckets: bool = True,
        quiet: bool = False,
    ) -> None:
        """Prepare a training. Here and when it begins, all random generators are seeded with `args.seed`.

        Args:
            model: holds what is trained and nothing of the backbone; all of it is saved.
            args: of transformers; `output_dir` is the run folder.
            collate: makes batches.
            train, dev: rows to learn from and to evaluate on.
            read: runs the frozen backbones over a batch's samples; called without gradients.
            compute_metrics: as the Trainer's; predictions are the model's outputs by name, label_ids the targets by
                name and "rows".
            callbacks: besides those that write metrics.jsonl and show progress.
            resume_command: what `Interrupted` tells the user to type.
            buckets: put samples of like length into one update, where the data set knows lengths.
            quiet: show no progress.

        Raises:
            InputError: an argument that this trainer cannot honour.
        """
        for name in _REFUSED:
            if getattr(args, name, None):
                raise InputError(f"TrainingArguments.{name} does not go with LichenTrainer. Leave it unset.")
        started = int(os.environ.get("WORLD_SIZE", "1"))
        if args.world_size != started:
            raise InputError(
                f"The launcher started {started} processes, but {args.world_size} train together. Without a GPU, set "
                "TrainingArguments(use_cpu=True)."
            )
        # Nothing is to be dropped from our batches, and what is not finite stops training instead of being averaged.
        args.remove_unused_columns = False
        args.logging_nan_inf_filter = False
        if args.n_gpu > 1:
            # DataParallel would hand all features to every GPU beside a share of the targets.
            args._n_gpu = 1
            print("lichen: using one GPU. `accelerate launch` uses all.", file=sys.stderr)
        self.kept_bytes: int | None = None
        """Bytes that the first training batch kept for its backward pass; None before it."""
        self._read = read
        self._buckets = buckets
        self._resume_command = resume_command
        self._guard = FiniteGuard()
        self._signals = Signals()
        self._throughput = Throughput()
        self._progress = ShowProgress(self._throughput, lambda: self.kept_bytes, quiet)
        metrics = MetricsLog(Path(str(args.output_dir)) / METRICS)
        stop = StopOnSignal(self._agreed_signal, self._interrupted)
        super().__init__(
            model,
            args,
            data_collator=collate,
            train_dataset=train,
            eval_dataset=dev,
            compute_metrics=compute_metrics,
            callbacks=[*callbacks, metrics, self._progress, stop, _Hooks(self)],
        )
        for callback in (PrinterCallback, ProgressCallback):
            self.remove_callback(callback)

    def train(
        self,
        resume_from_checkpoint: str | Path | bool | None = None,
        trial: Any = None,
        ignore_keys_for_eval: Any = None,
    ) -> TrainOutput:
        """Train, or go on from a checkpoint.

        Args:
            resume_from_checkpoint: a checkpoint folder, or True for the newest whole one of the run.
            trial, ignore_keys_for_eval: as the Trainer's.

        Raises:
            InputError: another process trains in this folder, it holds an older training, or nothing to resume.
            CheckpointError: the checkpoint is damaged or of another model.
            Interrupted: a signal came; a checkpoint was saved.
            NonFiniteError: an update would have spoiled the weights.
            OutOfMemoryError: memory ran out.
            GradientLeakError: the backbone would have been trained.
        """
        self.kept_bytes = None
        self._guard.clear()
        place_late(self.model, self.args.device)
        memory = out_of_memory_explained(self._train_batch_size, self.args.gradient_accumulation_steps)
        try:
            with RunLock(self.run) if self.args.should_save else nullcontext(), self._signals, memory:
                if self.args.should_save:
                    sweep(self.run)
                self.accelerator.wait_for_everyone()
                self.resumed = self.find_checkpoint(resume_from_checkpoint)
                start = None if self.resumed is None else str(self.resumed)
                try:
                    result = super().train(start, trial, ignore_keys_for_eval)
                except _NothingLeft:
                    self.callback_handler.on_train_end(self.args, self.state, self.control)
                    result = TrainOutput(self.state.global_step, float("nan"), {})
                except Interrupted:
                    # Trackers, curves and the progress bar end as after a whole training.
                    self.callback_handler.on_train_end(self.args, self.state, self.control)
                    raise
        finally:
            self.is_in_train = False
            self._progress.close()
            number, self._signals.asked = self._signals.asked, 0
        if number:
            # It came after the last step, when there was nothing left to save.
            signal.raise_signal(number)
        return result

    def _get_train_sampler(self, train_dataset: Any = None) -> Updates:
        parts = self.args.gradient_accumulation_steps * self.args.world_size
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        self.order = Updates(
            self.train_dataset, self._train_batch_size * parts, parts=parts, seed=seed, buckets=self._buckets
        )
        return self.order

    def begin(self) -> None:
        """What is to be done once the Trainer has set its state, before the first step."""
        self._throughput.pause_over()
        # Whatever was drawn since the trainer was made, such as by a store's writer, must not change the training.
        set_seed(self.args.seed + self.args.process_index)
        if self.resumed is not None:
            self.continue_history(self.resumed)
            if evaluation_is_owed(self.args, self.state):
                self._determine_best_metric(self._evaluate(None, None), None)

    def _forward(self, model: nn.Module, inputs: Batch) -> Mapping[str, Any]:
        """Outputs of the model on one batch."""
        features = inputs.get("features")
        if features is None:
            if self._read is None:
                raise InputError('The batch holds no "features", and no read=… was given to compute them.')
            with torch.no_grad():
                read = self._read(inputs["samples"])
            features = {part: each.to(self.args.device) for part, each in read.items()}
        check_features(features)
        return model(features, inputs["targets"])

    def compute_loss(
        self, model: nn.Module, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The model's own loss. The first batch of a training is also checked and its kept bytes counted."""
        if self.kept_bytes is None and model.training:
            with KeptBytes([*model.parameters(), *model.buffers()]) as kept:
                outputs = self._forward(model, inputs)
            if not self.is_fsdp_enabled:  # whose graph ends in gathered copies of the parameters
                check_graph(outputs["loss"], model.parameters())
            self.kept_bytes = kept.bytes
        else:
            outputs = self._forward(model, inputs)
        return (outputs["loss"], outputs) if return_outputs else outputs["loss"]

    def get_decay_parameter_names(self, model: nn.Module) -> list[str]:
        """Weight decay pulls on matrices only: not on biases, norms, gates, a temperature, embeddings or positions."""
        matrices = {name for name, parameter in model.named_parameters() if parameter.ndim > 1}
        for name, module in model.named_modules():
            if isinstance(module, nn.Embedding):
                matrices.discard(f"{name}.weight")
            elif isinstance(module, TextDecoder):
                matrices.discard(f"{name}.positions")
        return [name for name in super().get_decay_parameter_names(model) if name in matrices]

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Forward and backward of one batch."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._guard.note(inputs["rows"], loss)
        return loss

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        """The Trainer asks for the norm right before each update: the last moment to stop it."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        whole = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        problem = self._guard.problem(None if self.accelerator.scaler is not None else whole)
        if problem:
            raise self._non_finite(problem)
        self._guard.clear()
        return norm

    def _non_finite(self, problem: str) -> NonFiniteError:
        rows = list(dict.fromkeys(torch.cat(self._guard.rows).tolist()))
        self.model.eval()
        # Under FSDP a forward pass needs all processes, and the others may have found nothing.
        blamed = [] if self.is_fsdp_enabled else rows_to_blame(rows, self._loss_of)
        seen, names = ([self.train_dataset.name(row) for row in part] for part in (rows, blamed))
        clip = float(self.args.max_grad_norm or 0)
        return Update(self.state.global_step, seen, names, self._get_learning_rate(), clip).error(problem)

    def _loss_of(self, row: int) -> Tensor:
        batch = send_to_device(self.data_collator([row]), self.args.device)
        return self._forward(self.model, batch)["loss"]

    def prediction_step(
        self, model: nn.Module, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[Any, Any, Any]:
        """Loss, outputs by name and targets by name (with "rows") of one batch."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            outputs = dict(self._forward(model, inputs))
        loss = outputs.pop("loss").detach()
        if prediction_loss_only:
            return loss, None, None
        outputs = {name: value for name, value in outputs.items() if isinstance(value, Tensor) and value.ndim}
        targets = {name: value for name, value in inputs["targets"].items() if isinstance(value, Tensor)}
        return loss, outputs, {"rows": inputs["rows"], **targets}

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate as the Trainer does, without a trace on the random generators of training."""
        with random_state_kept():
            try:
                return super().evaluate(*args, **kwargs)
            except EvaluationCut:
                pass
            finally:
                self._throughput.pause_over()
        self._save_checkpoint(self.model_wrapped, None)
        raise self._interrupted(self._agreed_signal())

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the speed to what is logged of training."""
        if "loss" in logs:
            logs["samples_per_second"] = self._throughput.rate()
        super().log(logs, start_time)

    def count_step(self) -> None:
        """Count one update for the speed."""
        self._throughput.step(self.order.size if self.order is not None else 0)

    def _save_checkpoint(self, model: nn.Module, trial: Any = None) -> None:
        super()._save_checkpoint(model, trial)
        self._throughput.pause_over()

    def _agreed_signal(self) -> int:
        """The signal that any of the processes got during training; 0 for none."""
        if not self.is_in_train:
            return 0
        if self.args.world_size == 1:
            return self._signals.asked
        own = torch.tensor([self._signals.asked], device=self.args.device)
        return int(self.accelerator.gather(own).max())

    def _interrupted(self, number: int) -> Interrupted:
        return Interrupted(number, self.saved or self.run, self._resume_command)


class _NothingLeft(Exception):
    """The checkpoint that a training goes on from was its last; the Trainer itself would take one step more."""


class _Hooks(TrainerCallback):
    """Tells the trainer when its turn comes."""

    def __init__(self, trainer: LichenTrainer) -> None:
        self._trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.begin()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._trainer.resumed is not None and state.global_step >= state.max_steps:
            raise _NothingLeft
        # accelerate's loaders do not pass the epoch on where they skip batches in one of several processes.
        if self._trainer.order is not None:
            self._trainer.order.set_epoch(int(state.epoch))

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        for module in self._trainer.model.modules():
            if isinstance(module, PairLoss):
                module.set_epoch(float(state.epoch))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.count_step()
        if state.global_step >= state.max_steps and args.logging_strategy != IntervalStrategy.NO:
            # The last step is worth a line, wherever it falls.
            control.should_log = True
