"""`MixedOrder`: which examples an epoch holds where tasks share it by another rule than by their numbers."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ...language.mixing import Mixture
from ..task import Examples
from .config import TASKS, WriteConfig


class MixedOrder:
    """The order of every epoch, by place among the examples.

    Args:
        examples: of all tasks.
        config: how they are mixed.
        seed: of the training.

    Raises:
        InputError: a rule that does not fit the tasks, such as weights for others.
    """

    def __init__(self, examples: Examples, config: WriteConfig, seed: int) -> None:
        numbers = examples.targets["task"]
        pictures = next(iter(examples.rows.values()))
        self._places = {
            task: (numbers == TASKS.index(task)).nonzero().flatten()
            for task in config.tasks
            if bool((numbers == TASKS.index(task)).any())
        }
        held = {task: pictures[places].tolist() for task, places in self._places.items()}
        self._mixture = Mixture(held, config.mixture(seed))
        self._rule = f"{config.mixing} {self._mixture.shares}"

    def __len__(self) -> int:
        return len(self._mixture)

    def epoch(self, number: int) -> Int[Tensor, " examples"]:
        """Places of an epoch's examples."""
        order = torch.from_numpy(self._mixture.epoch(number))
        places = torch.empty(len(order), dtype=torch.long)
        for task, own in enumerate(self._places.values()):
            chosen = order[:, 0] == task
            places[chosen] = own[order[chosen, 1]]
        return places

    def describe(self) -> str:
        """What a checkpoint remembers of it, beside the seed."""
        return self._rule
