"""How tasks share an epoch."""

from __future__ import annotations

import torch

from lichen.tasks.task import Order
from lichen.tasks.written.asked import asked_of
from lichen.tasks.written.config import TASKS
from lichen.tasks.written.examples import examples_of, learn_tokenizer
from lichen.tasks.written.order import MixedOrder
from lichen.training.engine.order import RowDataset, Updates

from .world import config, dataset

DATA = dataset()


def test_an_epoch_keeps_the_shares_and_all_examples_have_their_turn() -> None:
    settings = config("classify", "vqa", mixing="weights", weights={"classify": 3.0, "vqa": 1.0})
    asked = asked_of(DATA, "train", settings)
    found, _ = examples_of(asked, ("image",), DATA.ids, learn_tokenizer(asked, settings), settings, all_answers=True)
    order = MixedOrder(found, settings, seed=1)
    assert isinstance(order, Order) and len(order) == len(found) == 28 + 56
    seen = []
    for epoch in range(3):
        places = order.epoch(epoch)
        tasks = found.targets["task"][places]
        assert int((tasks == TASKS.index("classify")).sum()) == 63
        seen += places[tasks == TASKS.index("vqa")].tolist()
    assert len(set(seen[:42])) == 42 and len(set(seen)) == 56, "none comes twice before all came once"
    assert torch.equal(order.epoch(1), MixedOrder(found, settings, 1).epoch(1))
    assert not torch.equal(order.epoch(1), MixedOrder(found, settings, 2).epoch(1))


def test_updates_follow_an_order_of_the_data_set() -> None:
    class Twice:
        def __len__(self) -> int:
            return 6

        def epoch(self, number: int) -> torch.Tensor:
            return torch.tensor([0, 1, 2, 0, 1, 2]) + 3 * number

        def describe(self) -> str:
            return "twice"

    rows = RowDataset(range(9), [str(row) for row in range(9)], order=Twice())
    updates = Updates(rows, 4, seed=0)
    assert len(updates) == 8
    updates.set_epoch(1)
    assert list(updates)[:4] == [3, 4, 5, 3] and set(updates) == {3, 4, 5}
    assert rows.digest != RowDataset(range(9), rows.ids).digest
