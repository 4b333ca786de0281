"""`SideModel`: all that is trained of a task, side networks and head, without a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..backbones.features import Features
from ..side.base import Side


class SideModel(nn.Module):
    """Side networks by part, and the head that reads what they give.

    Args:
        sides: by part of the task.
        head: `forward(features by part, targets or None) -> {"loss": …, outputs}`.
    """

    def __init__(self, sides: Mapping[str, Side], head: nn.Module) -> None:
        super().__init__()
        self.sides = nn.ModuleDict(sides)
        self.head = head

    def forward(self, features: Mapping[str, Features], targets: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
        """Adapt the features of each part that is given and let the head answer.

        Args:
            features: by part, holding the states that its side network reads.
            targets: what the head is told; without it there is no loss.

        Returns:
            `loss`, with targets, and what the head's own docstring lists.
        """
        outputs: dict[str, Tensor] = self.head(self.adapt(features), targets)
        return outputs

    def adapt(self, features: Mapping[str, Features]) -> dict[str, Features]:
        """What the side networks make of the features of each part that is given."""
        return {part: self.sides[part](given) for part, given in features.items()}
