"""`ProposalNetwork`: the parts of an object, one after the other.

Step 0 has no start token: the states of both layers come from the picture's own vector, and the heads read them at
once. From then on a step is told the part before it: its numbers, its class, its 2D box, and what the map holds in
that box. Source: arXiv 2109.04153 (solids_and_video.md A4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from .attention import LocalAttention
from .config import SolidsConfig
from .layers import ClassPerceptrons, ContextCells, perceptron
from .mixture import NUMBERS, likeliest

LENGTHS, TURNS, BOX = 6, 3, 4
_SMOOTH = 1e-5
"""Of the one-hot class that teacher forcing tells (C5)."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Annotated parts of a batch of half models, padded, in the order in which they are proposed."""

    lengths: Float[Tensor, "batch parts 6"]
    """Size and least corner, normalised."""
    turns: Float[Tensor, "batch parts 3"]
    """Axis times angle, normalised."""
    classes: Int64[Tensor, "batch parts"]
    boxes: Float[Tensor, "batch parts 4"]
    """2D boxes in shares of the picture."""
    count: Int64[Tensor, " batch"]

    @property
    def there(self) -> Tensor:
        """Which parts are no padding, (batch, parts)."""
        return torch.arange(self.lengths.shape[1], device=self.count.device) < self.count[:, None]

    def turned_round(self) -> Parts:
        """The same parts from the last to the first; padding stays at the end."""
        place = torch.arange(self.lengths.shape[1], device=self.count.device)
        order = torch.where(self.there, self.count[:, None] - 1 - place, place)

        def taken(values: Tensor) -> Tensor:
            return values.gather(1, order[..., None].expand_as(values))

        classes = self.classes.gather(1, order)
        return Parts(taken(self.lengths), taken(self.turns), classes, taken(self.boxes), self.count)


@dataclass(frozen=True, eq=False)
class Proposals:
    """What the network says, step by step."""

    lengths: Float[Tensor, "batch steps 6"]
    turns: Float[Tensor, "batch steps 3"]
    logits: Float[Tensor, "batch steps classes"]
    boxes: Float[Tensor, "batch steps 4"]
    hidden: Float[Tensor, "batch steps states"]
    """Hidden states of both layers, the first layer's first."""
    raw: Float[Tensor, "batch steps numbers"] | None = None
    """Numbers of the mixtures, where there are any."""

    @classmethod
    def joined(cls, steps: Sequence[Proposals]) -> Proposals:
        """Steps one after the other; at least one."""

        def cat(name: str) -> Tensor:
            return torch.cat([getattr(each, name) for each in steps], 1)

        raw = None if steps[0].raw is None else cat("raw")
        return cls(cat("lengths"), cat("turns"), cat("logits"), cat("boxes"), cat("hidden"), raw)


class ProposalNetwork(nn.Module):
    """One direction.

    Args:
        classes: of parts.
        vector: width of the picture's own vector.
        channels: of the map.
        config: sizes.
    """

    def __init__(self, classes: int, vector: int, channels: int, config: SolidsConfig) -> None:
        super().__init__()
        self.classes, self.config = classes, config
        hidden, both = config.hidden, 2 * config.hidden
        self.start_hidden = nn.ModuleList(perceptron(vector, hidden, hidden) for _ in range(2))
        self.start_cell = nn.ModuleList(perceptron(vector, hidden, hidden) for _ in range(2))
        self.local = LocalAttention(channels, config.local_code, config.centres) if config.local else None
        context = config.code + (config.local_code if config.local else 0)
        self.cells = ContextCells(LENGTHS + TURNS + classes + BOX, context, hidden)
        self.classify = nn.Linear(both, classes)
        self.box = perceptron(both, config.heads, BOX)
        numbers = 3 * NUMBERS * config.mixtures if config.output == "mixture" else LENGTHS
        self.length = ClassPerceptrons(classes, (both, config.heads, 64, 32, numbers))
        self.turn = ClassPerceptrons(classes, (both, config.heads, TURNS))

    def forward(
        self,
        maps: Float[Tensor, "batch channels rows columns"],
        code: Float[Tensor, "batch code"],
        vector: Float[Tensor, "batch vector"],
        steps: int,
        teacher: Parts | None = None,
    ) -> Proposals:
        """Proposals of every step.

        Args:
            maps: of the pictures.
            code: of the whole picture, told in every step.
            vector: from which the states begin.
            steps: how many.
            teacher: true parts, at least as many; a step is then told the true part before it (but not its 2D box for
                looking), and the heads of the true class answer. None: its own predictions.
        """
        hidden = torch.stack([start(vector) for start in self.start_hidden], 1)
        cell = torch.stack([start(vector) for start in self.start_cell], 1)
        found: list[Proposals] = []
        seen: list[Tensor] = []
        box = self.box(hidden.flatten(1))
        for step in range(steps):
            if step:
                told = self._told(found[-1]) if teacher is None else _true(teacher, step - 1, self.classes)
                context = [code] if self.local is None else [code, self.local(maps, box)]
                hidden, cell = self.cells(told, torch.cat(context, 1), (hidden, cell))
                box = self.box(hidden.flatten(1))
            seen.append(hidden.flatten(1))
            if teacher is None:
                found.append(self._read(seen[-1][:, None]))
        if teacher is None:
            return Proposals.joined(found)
        # A taught step is told nothing that these heads say, so that all steps are read at once.
        return self._read(torch.stack(seen, 1), teacher.classes[:, :steps])

    def _read(
        self, hidden: Float[Tensor, "batch steps states"], classes: Int64[Tensor, "batch steps"] | None = None
    ) -> Proposals:
        """What the heads make of the states of some steps; the heads of the given classes, or of those predicted."""
        logits = self.classify(hidden)
        chosen = logits.argmax(-1) if classes is None else classes
        numbers, raw = self.length(hidden, chosen), None
        if self.config.output == "mixture":
            numbers, raw = likeliest(numbers), numbers
        return Proposals(numbers, self.turn(hidden, chosen), logits, self.box(hidden), hidden, raw)

    def _told(self, before: Proposals) -> Tensor:
        """The step before, as an input without gradients."""
        values = (before.lengths, before.turns, before.logits.softmax(-1), before.boxes)
        return torch.cat([value[:, 0].detach() for value in values], 1)


def _true(parts: Parts, step: int, classes: int) -> Tensor:
    """A true part as an input; its class is smoothed as released."""
    hot = nn.functional.one_hot(parts.classes[:, step], classes).to(parts.lengths)
    smooth = hot * (1 - classes * _SMOOTH) + _SMOOTH
    return torch.cat([parts.lengths[:, step], parts.turns[:, step], smooth, parts.boxes[:, step]], 1)
