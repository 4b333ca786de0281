"""`FilmTrainer`: the house's trainer for video models: gates learn faster, and a running average follows."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback

from ...video.diffusion import VideoDiffusion
from ..engine.trainer import LichenTrainer

_GATES = ("alpha_attn", "alpha_dense", "beta_object", "beta_image")
"""Names of scalar gates."""


class FilmTrainer(LichenTrainer):
    """Trains a `VideoDiffusion`."""

    gate_factor: float = 1.0
    """Learning rate of gates, times that of all else (spec B11, point 1)."""

    def __init__(self, model: VideoDiffusion, *args: Any, gate_factor: float = 1.0, **kwargs: Any) -> None:
        """
        Args:
            model: what is trained.
            args, kwargs: of `LichenTrainer`.
            gate_factor: see the attribute.
        """
        self.gate_factor = gate_factor
        super().__init__(model, *args, **kwargs)
        self.add_callback(_Follow(model))

    def create_optimizer(self, model: Any = None) -> Any:
        """AdamW with decay on matrices, and a group of gates with a learning rate of its own."""
        if self.optimizer is None:
            decayed = set(self.get_decay_parameter_names(self.model))
            groups: dict[str, list[nn.Parameter]] = {"decayed": [], "plain": [], "gates": []}
            for name, value in self.model.named_parameters():
                if value.requires_grad:
                    gate = name.rpartition(".")[2] in _GATES
                    groups["gates" if gate else "decayed" if name in decayed else "plain"].append(value)
            lr, decay = self.args.learning_rate, self.args.weight_decay
            kinds = {"decayed": (lr, decay), "plain": (lr, 0.0), "gates": (lr * self.gate_factor, 0.0)}
            self.optimizer = torch.optim.AdamW(
                [
                    {"params": values, "lr": kinds[kind][0], "weight_decay": kinds[kind][1]}
                    for kind, values in groups.items()
                    if values
                ],
                betas=(self.args.adam_beta1, self.args.adam_beta2),
                eps=self.args.adam_epsilon,
            )
        return self.optimizer


class _Follow(TrainerCallback):
    """Updates the running average after each step."""

    def __init__(self, model: VideoDiffusion) -> None:
        self._model = model

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._model.average is not None:
            self._model.average.update()
