"""Which batches a training will see, found without tokenising all texts: the first and the longest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...tasks.task import Examples
from ..comparing.arena import steps_of
from ..engine.order import POOL, RowDataset, Updates
from ..recipe import Recipe
from ..sources import Source
from .sources import LOOKED_AT, FewTexts, evenly

Places = tuple[int, ...]


@dataclass(frozen=True)
class PlannedBatches:
    """Examples of two batches, by place among all; how long batches are, and how many updates there will be."""

    first: Places
    """The one on which `lichen train` counts kept bytes."""
    longest: Places
    first_tokens: float
    """Of the first batch, padding included, over all its texts; 1 where there are none."""
    mean_tokens: float
    """The same of the mean batch."""
    longest_tokens: float
    updates: int
    """Of the whole training."""

    @property
    def typical(self) -> float:
        """Tokens of the mean batch for one of the first."""
        return self.mean_tokens / self.first_tokens


def planned_batches(examples: Examples, sources: Mapping[str, Source], recipe: Recipe) -> PlannedBatches:
    """Draw from the order in which the trainer will see the examples.

    Args:
        examples: of the training side.
        sources: by part; their texts are `FewTexts`.
        recipe: of the run.

    Raises:
        InputError: as the trainer, where there are too few examples.
    """
    settings = recipe.train
    texts = {part: source.inputs for part, source in sources.items() if isinstance(source.inputs, FewTexts)}
    everything = range(len(examples))
    plain = _order(recipe, everything, None)
    updates = steps_of(settings, len(plain) // plain.size)
    if not texts:
        first = _batches(plain, settings.batch)[0]
        return PlannedBatches(first, first, 1.0, 1.0, 1.0, updates)
    sampled = evenly(len(examples), max(LOOKED_AT, plain.size))
    rows = _first_pool(plain) if settings.buckets else _batches(plain, settings.batch)[0]
    for part, inputs in texts.items():
        inputs.look_at(examples.rows[part][sorted({*rows, *sampled})].tolist())
    found = [inputs.lengths()[examples.rows[part]] for part, inputs in texts.items()]
    lengths = torch.stack(found).sum(0)
    first = _batches(_order(recipe, everything, lengths), settings.batch)[0]
    batches = _batches(_order(recipe, sampled, lengths[sampled]), settings.batch)
    # Of an epoch that is only sampled, the first batch is another one.
    sizes = torch.stack([_padded(found, batch) for batch in [first, *batches]]).double()
    longest = [first, *batches][int(sizes.argmax())]
    return PlannedBatches(first, longest, float(sizes[0]), float(sizes[1:].mean()), float(sizes.max()), updates)


def _padded(lengths: Sequence[Tensor], batch: Places) -> Tensor:
    """Tokens of a batch, padding included, over all its texts."""
    return torch.stack([each[list(batch)].max() for each in lengths]).sum() * len(batch)


def _order(recipe: Recipe, places: Sequence[int], lengths: Tensor | None, buckets: bool = True) -> Updates:
    """The trainer's order of some of the examples."""
    settings = recipe.train
    rows = RowDataset(places, [""] * len(places), None if lengths is None else lengths.tolist())
    size = settings.batch * settings.accumulate
    return Updates(rows, size, parts=settings.accumulate, seed=recipe.seed, buckets=buckets and settings.buckets)


def _batches(order: Updates, batch: int) -> list[Places]:
    """The batches of the first epoch."""
    positions = order.positions().view(-1, order.size)
    rows = torch.tensor(order.dataset.rows)
    return [tuple(rows[places].tolist()) for update in positions for places in update.split(batch)]


def _first_pool(plain: Updates) -> list[int]:
    """Examples whose lengths decide which of them are in the first update.

    The order is laid out before lengths are looked at, and then each pool of it is sorted by itself. With equal lengths
    nothing moves but the updates, so the first update of such an order shows where in it the pool is.
    """
    count = len(plain.dataset)
    equal = RowDataset(range(count), [""] * count, [0] * count)
    order = list(dict.fromkeys(plain.positions().tolist()))
    first = next(iter(Updates(equal, plain.size, seed=plain.seed)))
    pool = POOL * plain.size
    start = order.index(first)
    # The update may reach over into the next pool.
    return order[start - start % pool : (start + plain.size - 1) // pool * pool + pool]
