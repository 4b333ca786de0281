"""The bank of texts: what is read of it, what is compared with it, how it grows."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from lichen.errors import InputError
from lichen.heads.hoi import HOIConfig
from lichen.heads.hoi.bank import Judge, KnowledgeBank

TEXTS = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
VECTORS = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))


def bank(**changes: object) -> KnowledgeBank:
    torch.manual_seed(0)
    return KnowledgeBank(TEXTS, HOIConfig(**changes))  # type: ignore[arg-type]


@torch.no_grad()
def test_what_is_read_is_the_mean_of_texts_weighted_by_cosines() -> None:
    """hoi.md 1.6, by a loop."""
    made = bank(bank_temperature=0.07)
    found = made.read(VECTORS)
    assert made.query is not None
    for row, vector in enumerate(VECTORS):
        asked = made.query(vector)
        cosines = [float(asked @ text / asked.norm() / text.norm()) for text in TEXTS]
        weights = [math.exp(each / 0.07) for each in cosines]
        mean = sum(w * text / text.norm() for w, text in zip(weights, TEXTS, strict=True)) / sum(weights)
        torch.testing.assert_close(found[row], mean)
    assert not bank(bank=False).read(VECTORS).any() and bank(bank=False).query is None


def test_cosines_with_the_rows() -> None:
    made = bank()
    torch.testing.assert_close(made.cosines(VECTORS), normalize(VECTORS, dim=1) @ normalize(TEXTS, dim=1).T)
    with torch.no_grad():
        made.rows.mul_(3.0)
    torch.testing.assert_close(made.cosines(VECTORS), normalize(VECTORS, dim=1) @ normalize(TEXTS, dim=1).T)


def test_rows_move_and_the_memory_does_not() -> None:
    made = bank()
    made.cosines(VECTORS + made.read(VECTORS)).sum().backward()
    assert made.rows.grad is not None and bool(made.rows.grad.any())
    assert "memory" not in dict(made.named_parameters()) and not made.memory.requires_grad
    frozen = bank(classifier="frozen")
    assert not frozen.rows.requires_grad
    assert {"memory", "rows"} <= set(made.state_dict())


def test_added_interactions_change_nothing_that_was_there() -> None:
    made = bank()
    read, cosines = made.read(VECTORS), made.cosines(VECTORS)
    more = torch.randn(2, 6, generator=torch.Generator().manual_seed(2))
    made.extend(more)
    assert len(made) == 7 and torch.equal(made.read(VECTORS), read)
    torch.testing.assert_close(made.cosines(VECTORS)[:, :5], cosines, rtol=0, atol=1e-6)
    torch.testing.assert_close(made.cosines(VECTORS)[:, 5:], normalize(VECTORS, dim=1) @ normalize(more, dim=1).T)
    assert made.rows.requires_grad
    with pytest.raises(InputError, match="vectors of width 6; got 3"):
        made.extend(torch.zeros(1, 3))


def test_what_is_no_bank() -> None:
    with pytest.raises(InputError, match="a vector of numbers for each"):
        KnowledgeBank(torch.zeros(0, 6), HOIConfig())
    with pytest.raises(InputError, match="a vector of numbers for each"):
        KnowledgeBank(torch.full((2, 6), torch.nan), HOIConfig())
    with pytest.raises(InputError, match="a vector of numbers for each"):
        KnowledgeBank(torch.cat([TEXTS, torch.zeros(1, 6)]), HOIConfig())


def test_interactions_start_rare() -> None:
    judge = Judge(HOIConfig(scale=10.0, offset=-4.0))
    torch.testing.assert_close(judge(torch.tensor([[0.0, 0.5]])), torch.tensor([[-4.0, 1.0]]))
    assert len(list(judge.parameters())) == 2
